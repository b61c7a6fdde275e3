import { writeCookieDate } from './cookie-date.ts';
import { type CookieTreatment, readCookieField } from './cookie-field.ts';
import type { CookieSettings } from './cookie-options.ts';
import type { CookieServers, CookieTarget } from './cookie-servers.ts';
import { readCookieValue } from './cookie-value.ts';
import { readSetCookies, type SetCookieTreatment } from './set-cookie-field.ts';

/**
 * What came of a request's cookie, as the third of HAProxy's log flags: none, invalid, of a server that is down, valid,
 * expired (`maxidle`), too old (`maxlife`), unused.
 */
export type CookieState = 'N' | 'I' | 'D' | 'V' | 'E' | 'O' | 'U';

/** What was done to the answer's cookie, as the fourth: nothing, inserted, updated, left as the server set it, rewritten, deleted. */
export type CookieDeed = 'N' | 'I' | 'U' | 'P' | 'R' | 'D';

/** What is known of a request before its cookie is looked at. */
export interface CookieFacts {
  /** It has a server already. HAProxy: `use-server`, SF_ASSIGNED. */
  readonly assigned: boolean;
  /** HAProxy: `ignore-persist`. */
  readonly ignore: boolean;
  /** A server that is down is used all the same. HAProxy: `option persist`, `force-persist`. */
  readonly persist: boolean;
}

/** An answer's head, as far as cookies go. */
export interface CookieHead {
  /** The server's `Set-Cookie` fields. */
  readonly setCookie: readonly string[];
  /** A cache might keep it. HAProxy: TX_CACHEABLE. */
  readonly cacheable: boolean;
}

/** Who answers. */
export interface CookieAnswerer<S> {
  readonly server: S;
  /** It was chosen by a cookie or a rule, and no retry has left it for another. HAProxy: SF_DIRECT. */
  readonly direct: boolean;
  readonly method: string;
}

export interface CookieAnswer {
  /** The `Set-Cookie` fields for the client; the server's own array where nothing has changed. */
  readonly setCookie: readonly string[];
  /** A field `Cache-Control: private` is to be added. */
  readonly private: boolean;
  readonly deed: CookieDeed;
}

/** Clocks differ, and may be set wrong: dates of the next day are believed, later ones are not. */
const FUTURE_S = 86_400;
/** Signed cookies of one request that are looked at: a signature takes microseconds with every key, and a field has room for hundreds. */
const MOST_SIGNED = 8;
const KEEP: SetCookieTreatment = { kind: 'keep' };
const REMOVE: SetCookieTreatment = { kind: 'remove' };

/**
 * Keeps clients on their servers by a cookie.
 * @see HAProxy `cookie`; http_ana.c:http_manage_client_side_cookies, http_manage_server_side_cookies, http_process_res_common
 */
export class CookiePersistence<S extends CookieTarget> {
  readonly settings: CookieSettings;
  readonly servers: CookieServers<S>;
  readonly #unixSeconds: () => number;
  readonly #treatment: CookieTreatment;

  /** @param unixSeconds whole seconds since 1970 */
  constructor(settings: CookieSettings, servers: CookieServers<S>, unixSeconds: () => number) {
    this.settings = settings;
    this.servers = servers;
    this.#unixSeconds = unixSeconds;
    const { mode, indirect } = settings;
    this.#treatment = mode === 'prefix' ? 'unprefix' : mode === 'insert' && indirect ? 'remove' : 'keep';
  }

  /** A passive cookie's states and deeds are not logged, `-` stands for them, unless it is `indirect`. HAProxy: PR_CK_ANY. */
  get logged(): boolean {
    return this.settings.mode !== undefined || this.settings.indirect;
  }

  /** Looks at a request's `Cookie` field. */
  read(field: string | undefined, facts: CookieFacts): CookieVisit<S> {
    const visit = new CookieVisit(this, facts.ignore, field);
    if (field === undefined || field === '') return visit;
    const { values, forwarded } = readCookieField(field, this.settings.name, this.#treatment);
    visit.forwarded = forwarded;
    const looked = this.settings.signer ? values.slice(0, MOST_SIGNED) : values;
    for (const value of looked) this.#look(visit, value, facts);
    return visit;
  }

  /** Of several cookies, the first that leads to a server counts; until then, what is found in one holds for the next. */
  #look(visit: CookieVisit<S>, text: string, facts: CookieFacts): void {
    const { mode, signer, maxlifeS, maxidleS } = this.settings;
    const value = readCookieValue(
      text,
      mode === 'prefix',
      signer,
      (server) => this.servers.withValue(server).length > 0,
    );
    let { server } = value;
    if (value.lastDate !== 0) visit.lastDate = value.lastDate;
    if (value.firstDate !== 0) visit.firstDate = value.firstDate;
    const late = this.#lateness(visit.firstDate, maxlifeS, 'O') ?? this.#lateness(visit.lastDate, maxidleS, 'E');
    if (late !== undefined) {
      visit.state = late;
      visit.firstDate = visit.lastDate = 0;
      server = '';
    }
    const unused = facts.ignore || facts.assigned || visit.server !== undefined;
    if (server !== '' && !unused) {
      for (const candidate of this.servers.withValue(server)) {
        visit.state = candidate.acceptsPersistent ? 'V' : 'D';
        if (!candidate.acceptsPersistent && !facts.persist) continue;
        visit.server = candidate;
        visit.stale = value.stale;
        return;
      }
    }
    if (visit.state === 'N') visit.state = unused ? 'U' : 'I';
  }

  /** HAProxy compares dates as signed numbers of 32 bits. */
  #lateness<State extends CookieState>(date: number, limitS: number, state: State): State | undefined {
    if (date === 0 || limitS === 0) return undefined;
    const age = (this.#unixSeconds() - date) | 0;
    return age > limitS || age < -FUTURE_S ? state : undefined;
  }

  /** What to do with an answer's head. */
  answer(visit: CookieVisit<S>, head: CookieHead, by: CookieAnswerer<S>): CookieAnswer {
    const { name, mode, preserve, postonly, nocache } = this.settings;
    visit.movedTo(by.server);
    const treatment = visit.ignored ? KEEP : this.#treatmentOf(by);
    const { fields, found } = readSetCookies(head.setCookie, name, treatment);
    const ours = found && !visit.ignored;
    const inserts =
      mode === 'insert' &&
      !visit.ignored &&
      !(ours && preserve) &&
      !(postonly && by.method !== 'POST') &&
      (!by.direct || this.#refreshes(visit));
    if (!inserts) return { setCookie: fields, private: false, deed: ours ? DEEDS[treatment.kind] : 'N' };
    const value = this.servers.valueOf(by.server);
    return {
      setCookie: [...fields, this.#setCookie(value, visit)],
      private: nocache && head.cacheable,
      deed: value !== undefined && by.direct ? 'U' : 'I',
    };
  }

  #treatmentOf({ server, direct }: CookieAnswerer<S>): SetCookieTreatment {
    const { mode, indirect, preserve, signer } = this.settings;
    if (preserve) return KEEP;
    if (mode === 'insert' || (direct && indirect)) return REMOVE;
    const value = mode === undefined ? undefined : this.servers.valueOf(server);
    if (value === undefined) return KEEP;
    return { kind: mode === 'rewrite' ? 'replace' : 'prefix', value: signer?.sign(value) ?? value };
  }

  /** A client that is on its server is sent the cookie again only for its dates, or for a new key. */
  #refreshes({ lastDate, firstDate, stale }: CookieVisit<S>): boolean {
    const { maxidleS, maxlifeS } = this.settings;
    if (stale) return true;
    if ((maxidleS > 0 || lastDate !== 0) && (lastDate === 0 || lastDate < this.#unixSeconds())) return true;
    return maxlifeS > 0 !== (firstDate !== 0);
  }

  #setCookie(server: string | undefined, { firstDate }: CookieVisit<S>): string {
    const { name, maxidleS, maxlifeS, signer, attributes } = this.settings;
    if (server === undefined) return `${name}=; Expires=Thu, 01-Jan-1970 00:00:01 GMT${attributes}`;
    let value = server;
    const now = writeCookieDate(this.#unixSeconds());
    if (maxidleS > 0 || maxlifeS > 0) value += `|${now}`;
    // What was read is a whole number of units: it is written as it was.
    if (maxlifeS > 0) value += `|${firstDate === 0 ? now : writeCookieDate(firstDate)}`;
    return `${name}=${signer?.sign(value) ?? value}${attributes}`;
  }
}

const DEEDS = { keep: 'P', remove: 'D', replace: 'R', prefix: 'R' } as const;

/** What a request's cookie has led to; kept until its answer comes. */
export class CookieVisit<S extends CookieTarget> {
  readonly ignored: boolean;
  /** The server that the cookie names, where it may be used. */
  server: S | undefined = undefined;
  state: CookieState = 'N';
  /** The `Cookie` field for the server; `undefined`: none. */
  forwarded: string | undefined;
  /** Seconds since 1970; 0: not said. */
  lastDate = 0;
  firstDate = 0;
  stale = false;
  readonly #persistence: CookiePersistence<S>;

  constructor(persistence: CookiePersistence<S>, ignored: boolean, field: string | undefined) {
    this.#persistence = persistence;
    this.ignored = ignored;
    this.forwarded = field;
  }

  /** Its request goes to this server. A cookie whose server is left for another is one of a server that is down. */
  movedTo(server: S): void {
    if (this.state === 'V' && server !== this.server) this.state = 'D';
  }

  /** What to do with the head of the answer. */
  answer(head: CookieHead, by: CookieAnswerer<S>): CookieAnswer {
    return this.#persistence.answer(this, head, by);
  }
}
