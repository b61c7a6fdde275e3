import { atOnce } from '../core/at-once.ts';
import type { RequestContext } from '../core/context.ts';
import { type Environment, unixSeconds } from '../core/environment.ts';
import { show } from '../core/options.ts';
import { CookiePersistence, type CookieVisit } from '../persistence/cookie.ts';
import { CookieServers } from '../persistence/cookie-servers.ts';
import { dynamicCookie } from '../persistence/dynamic-cookie.ts';
import type { BackendServer } from './backend-server.ts';
import type { ResolvedPool } from './resolve-options.ts';

/** What keeps a request on the server that it has: `useServer`, its cookie, or its client being authenticated there. */
export type Binding = 'none' | 'rule' | 'cookie' | 'session';

/** What is known of a request that may bind it to a server. */
export class Bond {
  /** It goes to its server even if that is down, and to no other. HAProxy: `force-persist`. */
  readonly forced: boolean;
  /** Its cookie is not looked at, and none is set. HAProxy: `ignore-persist`. */
  readonly ignored: boolean;
  /** Where it belongs, and by what. */
  server: BackendServer | undefined = undefined;
  by: Binding = 'none';
  /** What its cookie has led to. */
  visit: CookieVisit<BackendServer> | undefined = undefined;

  constructor(forced: boolean, ignored: boolean) {
    this.forced = forced;
    this.ignored = ignored;
  }

  bindTo(server: BackendServer, by: Binding): void {
    this.server = server;
    this.by = by;
  }
}

/** What a persistence is set up with. */
export interface PersistenceParts {
  readonly options: Pick<ResolvedPool, 'useServer' | 'cookie' | 'persist' | 'forcePersist' | 'ignorePersist'>;
  readonly environment: Environment;
  /** A function of the user's threw. */
  readonly report: (sample: string, error: unknown) => void;
}

/**
 * Which server a request belongs to before balancing is asked: the one that `useServer` names, else the one that its cookie does.
 * @see HAProxy stream.c:process_server_rules, http_ana.c:http_manage_client_side_cookies
 */
export class Persistence {
  readonly cookies: CookiePersistence<BackendServer> | undefined;
  readonly #parts: PersistenceParts;
  readonly #byName = new Map<string, BackendServer>();

  private constructor(parts: PersistenceParts) {
    const { options, environment } = parts;
    this.#parts = parts;
    this.cookies =
      options.cookie && new CookiePersistence(options.cookie, new CookieServers(), () => unixSeconds(environment));
  }

  /** `undefined` where no option binds a request to a server. */
  static of(parts: PersistenceParts): Persistence | undefined {
    const { useServer, cookie } = parts.options;
    return useServer || cookie ? new Persistence(parts) : undefined;
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

  /** Looks where a request belongs. */
  bind(context: RequestContext): Bond {
    const { options } = this.#parts;
    const forced = this.#holds('forcePersist', context);
    const bond = new Bond(forced, !forced && this.#holds('ignorePersist', context));
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

function cookieOf({ headers }: RequestContext): string | undefined {
  const field: unknown = headers?.cookie;
  if (Array.isArray(field)) return field.join('; ');
  return typeof field === 'string' ? field : undefined;
}
