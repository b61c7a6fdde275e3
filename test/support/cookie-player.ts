import { trimmed } from '#src/core/field-text.ts';
import { OptionReader } from '#src/core/options.ts';
import { cacheabilityOf, cookiesWouldBeCached } from '#src/persistence/cacheability.ts';
import { type CookieAnswer, CookiePersistence, type CookieVisit } from '#src/persistence/cookie.ts';
import { readCookie } from '#src/persistence/cookie-options.ts';
import { CookieServers } from '#src/persistence/cookie-servers.ts';
import { dynamicCookie } from '#src/persistence/dynamic-cookie.ts';
import { parseAddress } from '#src/servers/address.ts';
import {
  answeredBy,
  type CookieOutcome,
  type CookieServer,
  digested,
  expanded,
  type RecordedCookies,
  type RecordedRequest,
} from './cookie-record.ts';

interface Target {
  readonly name: string;
  readonly redir: boolean;
  readonly acceptsPersistent: boolean;
}

/** What of an outcome the pure parts decide. */
export type Decided = Pick<CookieOutcome, 'cookies' | 'setCookie' | 'cacheControl' | 'status'> & {
  /** `undefined`: any server, for balancing or a retry decides. */
  readonly server: string | undefined;
  readonly flags: string;
};

/** Plays a recorded scenario against the pure parts of cookie persistence: balancing and retries are as they were recorded. */
export class CookiePlayer {
  readonly #scenario: RecordedCookies;
  readonly #targets: readonly Target[];
  readonly #persistence: CookiePersistence<Target> | undefined;
  #now = 0;
  #answered: string | undefined;

  constructor(scenario: RecordedCookies) {
    this.#scenario = scenario;
    const keyLine = scenario.backend?.find((line) => line.startsWith('dynamic-cookie-key '));
    const dynamicCookieKey = keyLine?.split(' ')[1];
    const read = new OptionReader({ cookie: scenario.cookie, dynamicCookieKey }, '');
    const settings = readCookie(read);
    read.throwFaults();
    const servers = new CookieServers<Target>();
    this.#targets = scenario.servers.map((server) => {
      const target = targetOf(server);
      const value = server.cookie ?? dynamicOf(server, dynamicCookieKey);
      if (value !== undefined) servers.add(target, value);
      return target;
    });
    this.#persistence = settings && new CookiePersistence(settings, servers, () => this.#now);
  }

  play(request: RecordedRequest): Decided {
    const { expect, method = 'GET', persist, use, status = 200 } = request;
    this.#now = expect.now;
    const cookies = (request.cookies ?? []).map((value) => trimmed(expanded(value, expect.now, this.#answered)));
    const answer = (request.answer ?? []).map(([name, value]) => [name, trimmed(expanded(value, expect.now))] as const);
    this.#answered = answeredBy(expect.setCookie) ?? this.#answered;
    const field = cookies.length === 0 ? undefined : cookies.join('; ');
    const option = this.#scenario.backend?.includes('option persist') ?? false;
    const force = persist === 'force';
    const ruled = this.#targets.find(
      ({ name, acceptsPersistent }) => name === use && (acceptsPersistent || option || force),
    );
    const facts = { assigned: ruled !== undefined, ignore: persist === 'ignore', persist: option || force };
    const visit = this.#persistence?.read(field, facts);
    const wanted = ruled ?? visit?.server;
    const logged = this.#persistence?.logged ? visit : undefined;
    const answerer = this.#targets.find(({ name }) => name === expect.server);
    const start = { server: wanted?.name, cookies: [], setCookie: [], cacheControl: expect.cacheControl };
    const redirected = wanted?.redir && (method === 'GET' || method === 'HEAD');
    // Nobody answers but the pool: 302 of `redir`, or 503.
    if (!answerer)
      return { ...start, status: redirected ? 302 : 503, flags: `${logged?.state ?? '-'}${logged ? 'N' : '-'}` };
    const values = (name: string): string[] =>
      answer.filter(([known]) => known.toLowerCase() === name).map(([, value]) => value);
    const caching = cacheabilityOf(method, status, values);
    const direct = wanted === answerer && !expect.redispatched;
    const setCookie = values('set-cookie');
    const head = { setCookie, cacheable: caching.cacheable };
    const answered = visit?.answer(head, { server: answerer, direct, method });
    return {
      server: expect.redispatched ? undefined : wanted?.name,
      cookies: seen(visit, cookies, field).map(digested),
      ...this.#sent(answered, caching, setCookie, values('cache-control'), status),
      flags: `${logged?.state ?? '-'}${(logged && answered?.deed) ?? '-'}`,
    };
  }

  #sent(
    answered: CookieAnswer | undefined,
    caching: Parameters<typeof cookiesWouldBeCached>[0],
    setCookie: readonly string[],
    cacheControl: readonly string[],
    status: number,
  ): Pick<Decided, 'setCookie' | 'cacheControl' | 'status'> {
    const checks = this.#scenario.backend?.includes('option checkcache') ?? false;
    if (checks && cookiesWouldBeCached(caching, setCookie, answered?.private ?? false))
      return { setCookie: [], cacheControl: ['no-cache'], status: 502 };
    return {
      setCookie: (answered?.setCookie ?? setCookie).map(digested),
      cacheControl: [...cacheControl, ...(answered?.private ? ['private'] : [])],
      status,
    };
  }
}

/** What of an outcome is compared with that. */
export function comparable(
  { server, cookies, setCookie, cacheControl, status, flags }: CookieOutcome,
  decided: Decided,
): Decided {
  return {
    server: decided.server === undefined ? undefined : (server ?? decided.server),
    cookies,
    setCookie,
    cacheControl: server === null ? decided.cacheControl : cacheControl,
    status,
    flags: flags.slice(2),
  };
}

function seen(
  visit: CookieVisit<Target> | undefined,
  cookies: readonly string[],
  field: string | undefined,
): readonly string[] {
  if (!visit || visit.forwarded === field) return cookies;
  return visit.forwarded === undefined ? [] : [visit.forwarded];
}

function targetOf({ name, redir, state }: CookieServer): Target {
  return { name, redir: redir !== undefined, acceptsPersistent: state !== 'down' && state !== 'maint' };
}

function dynamicOf({ address }: CookieServer, key: string | undefined): string | undefined {
  const at = address === undefined ? undefined : parseAddress(address);
  return at && key !== undefined ? dynamicCookie(key, at.host, at.port) : undefined;
}
