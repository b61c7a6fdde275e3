import { EvenkeelError } from '../core/errors.ts';
import type { CookieFlags } from '../core/events.ts';
import type { Outcome } from '../core/outcome.ts';
import type { MutableHead } from '../forward/forwarder.ts';
import { cacheabilityOf, cookiesWouldBeCached } from '../persistence/cacheability.ts';
import type { CookieDeed } from '../persistence/cookie.ts';
import type { ServerView } from '../servers/server.ts';
import type { BackendServer } from './backend-server.ts';
import { isRedirectable, type Seeker } from './choice.ts';
import { type Binding, type Bond, isDirect } from './persistence.ts';
import { Reception } from './reception.ts';
import { fieldsOf } from './rule-fields.ts';

/** What keeps a request's client on its server: looked at before the choice, and told to the client with the answer. */
export abstract class BoundExchange extends Reception implements Seeker {
  bond: Bond | undefined = undefined;
  binding: Binding = 'none';
  /** It waits for what a table asks of another machine. */
  protected awaitsTable = false;
  #deed: CookieDeed = 'N';

  /** Finds the request a server. */
  protected abstract findPlace(): void;

  get preferred(): ServerView | undefined {
    return this.session?.preferred;
  }

  get redirectable(): boolean {
    return isRedirectable(this.method);
  }

  /** It goes to its server even if that is down, and to no other. */
  get forced(): boolean {
    return this.bond?.forced === true;
  }

  protected choose(): void {
    const { persistence } = this.core;
    if (!persistence) {
      this.findPlace();
      return;
    }
    const bond = persistence.bind(this);
    this.bond = bond;
    const looking = persistence.lookUp(this, bond);
    if (looking) this.#await(looking);
    else this.#bound(bond);
  }

  #await(looking: Promise<void>): void {
    this.awaitsTable = true;
    looking.then(() => {
      this.awaitsTable = false;
      if (!this.over) this.#bound(this.bond as Bond);
    });
  }

  #bound({ visit }: Bond): void {
    if (visit && visit.forwarded !== this.headers.cookie) this.headers = { ...this.headers, cookie: visit.forwarded };
    this.findPlace();
  }

  /** Servers that have had a part in it. */
  abstract get servers(): readonly BackendServer[];

  /** Tables that processes share agree to the server that balancing has found, or name another; `undefined`: nobody is asked. */
  protected agreed(server: BackendServer): Promise<BackendServer> | undefined {
    if (!this.bond?.stores.length) return undefined;
    return this.core.persistence?.agree(server, this, this.servers);
  }

  /** A server answers: tables are told. */
  protected storeIn(server: BackendServer, { status, headers }: MutableHead): void {
    const { bond } = this;
    if (!bond) return;
    const responseOf = () => ({ ...this.context, response: { status, headers: fieldsOf(headers) } });
    this.core.persistence?.store(server, bond, responseOf);
  }

  /**
   * Puts into the head of an answer what its client is to come back with.
   * @returns what to refuse the answer with, or `undefined` to pass it on
   */
  protected keepClient(head: MutableHead, server: BackendServer): Outcome | undefined {
    const { checkcache, cookie } = this.core.options;
    const visit = this.bond?.visit;
    if (!visit && !checkcache) return undefined;
    const values = (name: string): readonly string[] => valuesOf(head.headers, name);
    const setCookie = values('set-cookie');
    const caching = checkcache || cookie?.nocache ? cacheabilityOf(this.method, head.status, values) : undefined;
    const cacheable = caching?.cacheable === true;
    const answer = visit?.answer(
      { setCookie, cacheable },
      { server, direct: isDirect(this.binding), method: this.method },
    );
    if (checkcache && caching && cookiesWouldBeCached(caching, setCookie, answer?.private === true))
      return {
        kind: 'refused',
        error: new EvenkeelError('EK_BAD_RESPONSE', { flags: 'PH', message: WOULD_BE_CACHED }),
      };
    if (!answer) return undefined;
    this.#deed = answer.deed;
    if (answer.setCookie !== setCookie) head.headers = withSetCookies(head.headers, answer.setCookie);
    if (answer.private) head.headers = [...head.headers, 'cache-control', 'private'];
    return undefined;
  }

  /**
   * What became of its cookie and of the answer's.
   * @param server the last one that it went to
   */
  protected cookieFlagsAt(server: BackendServer | undefined): CookieFlags {
    const visit = this.bond?.visit;
    if (!visit || !this.core.persistence?.cookies?.logged) return '--';
    if (server) visit.movedTo(server);
    return `${visit.state}${this.#deed}`;
  }
}

const WOULD_BE_CACHED = 'a cache could give the cookie in the response to other clients';

/** Of a list of names and values in turn, the values of that name, which is in lower case. */
function valuesOf(list: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < list.length; i += 2) {
    const field = list[i] as string;
    if (field.length === name.length && field.toLowerCase() === name) values.push(list[i + 1] as string);
  }
  return values;
}

/** The list with these values of `Set-Cookie` in place of its own. */
function withSetCookies(list: readonly string[], setCookie: readonly string[]): string[] {
  const fields: string[] = [];
  let next = 0;
  for (let i = 0; i + 1 < list.length; i += 2) {
    const name = list[i] as string;
    if (name.toLowerCase() !== 'set-cookie') fields.push(name, list[i + 1] as string);
    else if (next < setCookie.length) fields.push(name, setCookie[next++] as string);
  }
  for (; next < setCookie.length; next++) fields.push('set-cookie', setCookie[next] as string);
  return fields;
}
