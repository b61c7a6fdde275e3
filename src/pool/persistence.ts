import { atOnce } from '../core/at-once.ts';
import type { RequestContext } from '../core/context.ts';
import { type Environment, unixSeconds } from '../core/environment.ts';
import { show } from '../core/options.ts';
import { setPatientTimer } from '../core/patient-timer.ts';
import { CookiePersistence, type CookieVisit } from '../persistence/cookie.ts';
import { CookieServers } from '../persistence/cookie-servers.ts';
import { dynamicCookie } from '../persistence/dynamic-cookie.ts';
import type { StickResponseContext } from '../persistence/stick-options.ts';
import { type Patience, type PendingStore, StickRules, type StickVisit } from '../persistence/stick-rules.ts';
import type { BackendServer } from './backend-server.ts';
import type { Seeker } from './choice.ts';
import type { PoolTables } from './pool-tables.ts';
import type { ResolvedPool } from './resolve-options.ts';

/** What binds a request to a server before its choice: `useServer`, its cookie, a stick table. HAProxy: SF_DIRECT. */
export type DirectBinding = 'rule' | 'cookie' | 'stick';

/** What keeps a request on the server that it has; `session`: its client is authenticated there. */
export type Binding = DirectBinding | 'session' | 'none';

/** A client so bound is on its server already, which a cookie need not tell it. HAProxy: SF_DIRECT. */
export function isDirect(binding: Binding): boolean {
  return binding === 'rule' || binding === 'cookie' || binding === 'stick';
}

/** What is known of a request that may bind it to a server. */
export class Bond implements StickVisit {
  /** It goes to its server even if that is down, and to no other. HAProxy: `force-persist`. */
  readonly forced: boolean;
  /** Its cookie is not looked at, and none is set. HAProxy: `ignore-persist`. */
  readonly ignored: boolean;
  /** Where it belongs, and by what. */
  server: BackendServer | undefined = undefined;
  by: DirectBinding | undefined = undefined;
  /** What its cookie has led to. */
  visit: CookieVisit<BackendServer> | undefined = undefined;

  /** What tables are told once a server answers. */
  readonly stores: PendingStore[] = [];
  readonly #persistence: Persistence;

  constructor(persistence: Persistence, forced: boolean, ignored: boolean) {
    this.#persistence = persistence;
    this.forced = forced;
    this.ignored = ignored;
  }

  get assigned(): boolean {
    return this.server !== undefined;
  }

  offer(name: string): boolean {
    const server = this.#persistence.find(name);
    if (!server || !this.#persistence.accepts(server, this)) return false;
    this.bindTo(server, 'stick');
    return true;
  }

  bindTo(server: BackendServer, by: DirectBinding): void {
    this.server = server;
    this.by = by;
  }
}

/** What a persistence is set up with. */
export interface PersistenceParts {
  readonly options: Pick<
    ResolvedPool,
    'useServer' | 'cookie' | 'persist' | 'forcePersist' | 'ignorePersist' | 'stick' | 'timeoutStickMs'
  >;
  readonly tables: PoolTables;
  readonly environment: Environment;
  /** A function of the user's threw. */
  readonly report: (sample: string, error: unknown) => void;
}

/**
 * Which server a request belongs to before balancing is asked: the one that `useServer` names, else the one that its cookie does,
 * else the one that a stick table has for it.
 * @see HAProxy stream.c:process_server_rules, http_ana.c:http_manage_client_side_cookies, stream.c:process_sticking_rules
 */
export class Persistence {
  readonly cookies: CookiePersistence<BackendServer> | undefined;
  readonly #stick: StickRules | undefined;
  readonly #parts: PersistenceParts;
  readonly #byName = new Map<string, BackendServer>();

  private constructor(parts: PersistenceParts) {
    const { options, environment, tables, report } = parts;
    this.#parts = parts;
    this.cookies =
      options.cookie && new CookiePersistence(options.cookie, new CookieServers(), () => unixSeconds(environment));
    if (options.stick.length > 0)
      this.#stick = new StickRules(options.stick, (table) => tables.resolve(table), tables.samples, report);
  }

  /** `undefined` where no option binds a request to a server. */
  static of(parts: PersistenceParts): Persistence | undefined {
    const { useServer, cookie, stick } = parts.options;
    return useServer || cookie || stick.length > 0 ? new Persistence(parts) : undefined;
  }

  add(server: BackendServer): void {
    this.#byName.set(server.name, server);
    const value = server.cookie ?? this.#dynamicCookie(server);
    if (value !== undefined) this.cookies?.servers.add(server, value);
  }

  remove(server: BackendServer): void {
    this.#byName.delete(server.name);
    this.cookies?.servers.remove(server);
  }

  #dynamicCookie({ address }: BackendServer): string | undefined {
    const { cookie } = this.#parts.options;
    if (!cookie?.dynamic || cookie.dynamicKey === undefined) return undefined;
    return dynamicCookie(cookie.dynamicKey, address.host, address.port);
  }

  find(name: string): BackendServer | undefined {
    return this.#byName.get(name);
  }

  /** Looks where a request belongs, but for tables. */
  bind(context: RequestContext): Bond {
    const { options } = this.#parts;
    const forced = this.#holds('forcePersist', context);
    const bond = new Bond(this, forced, !forced && this.#holds('ignorePersist', context));
    const named = this.#named(context, bond);
    if (named) bond.bindTo(named, 'rule');
    bond.visit = this.cookies?.read(cookieOf(context), {
      assigned: named !== undefined,
      ignore: bond.ignored,
      persist: options.persist || forced,
    });
    if (bond.visit?.server) bond.bindTo(bond.visit.server, 'cookie');
    return bond;
  }

  /**
   * Looks in tables where a request belongs, and notes what they are to be told.
   * @returns resolves once all is known that will be, at most after `timeout.stick`; `undefined`: it is now
   */
  lookUp(context: RequestContext, bond: Bond): Promise<void> | undefined {
    return this.#stick?.match(context, bond, this.#patience());
  }

  /** As `lookUp`, for who cannot wait: what other machines know is left out. */
  lookUpNow(context: RequestContext, bond: Bond): void {
    this.#stick?.match(context, bond, undefined);
  }

  /** As `lookUpNow`, and no entry counts as used. */
  peek(context: RequestContext, bond: Bond): void {
    this.#stick?.peek(context, bond);
  }

  /**
   * Has tables that processes share agree to the server that balancing has found for a request.
   * @param tried servers that have failed it
   * @returns the one to use, at most after `timeout.stick`; `undefined`: there is nothing to wait for
   */
  agree(
    server: BackendServer,
    { bond, binding }: Pick<Seeker, 'bond' | 'binding'>,
    tried: readonly BackendServer[],
  ): Promise<BackendServer> | undefined {
    if (!this.#stick || binding !== 'none' || server.nonStick) return undefined;
    if (!bond || bond.forced) return undefined;
    const mayUse = (name: string): boolean => {
      const other = this.find(name);
      return other !== undefined && this.accepts(other, bond) && !tried.includes(other);
    };
    return this.#stick.agree(server.name, bond, mayUse, this.#patience())?.then((name) => this.find(name) ?? server);
  }

  /** A server answers a request, or work begins on it: tables are told. @param responseOf called where rules read responses */
  store(server: BackendServer, bond: Bond, responseOf: (() => StickResponseContext) | undefined): void {
    const stick = this.#stick;
    if (!stick || server.nonStick) return;
    stick.store(server.name, bond, stick.readsResponses ? responseOf?.() : undefined);
  }

  /** All that one request waits for ends with its time. */
  #patience(): Patience {
    const { environment, options } = this.#parts;
    const until = environment.now() + options.timeoutStickMs;
    return (found) =>
      new Promise((resolve) => {
        const late = setPatientTimer(
          environment,
          () => resolve(undefined),
          Math.max(0, until - environment.now()),
          true,
        );
        Promise.resolve(found)
          .catch(() => undefined)
          .then((server) => {
            late.cancel();
            resolve(server);
          });
      });
  }

  /** Whether the server that a request belongs to takes it. */
  accepts(server: BackendServer, { forced }: Bond): boolean {
    return server.acceptsPersistent || ((forced || this.#parts.options.persist) && !server.removed);
  }

  #holds(rule: 'forcePersist' | 'ignorePersist', context: RequestContext): boolean {
    try {
      return Boolean(atOnce(this.#parts.options[rule]?.(context)));
    } catch (error) {
      this.#parts.report(rule, error);
      return false;
    }
  }

  /** The server that `useServer` names, if it may be used. */
  #named(context: RequestContext, bond: Bond): BackendServer | undefined {
    const { options, report } = this.#parts;
    if (!options.useServer) return undefined;
    try {
      const name: unknown = atOnce(options.useServer(context));
      if (name === undefined || name === null) return undefined;
      const server = this.#byName.get(name as string);
      if (server) return this.accepts(server, bond) ? server : undefined;
      throw new TypeError(`it gave ${show(name)}; allowed: the name of a server, or undefined`);
    } catch (error) {
      report('useServer', error);
      return undefined;
    }
  }
}

/** The `Cookie` field of a request. */
export function cookieOf({ headers }: RequestContext): string | undefined {
  const field: unknown = headers?.cookie;
  if (Array.isArray(field)) return field.join('; ');
  return typeof field === 'string' ? field : undefined;
}
