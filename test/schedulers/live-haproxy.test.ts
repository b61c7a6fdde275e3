/**
 * Random scenarios, played by the HAProxy that is installed here and by a pool: the same server at every request. `SEED=7`
 * plays others than those of every day. What a failure prints is a recording of the form that `recorded-picks.test.ts` plays.
 *
 * Left out are `leastconn` and `random`, which draw among equals, and
 * - what HAProxy 2.6 does otherwise than 3.5 and we: a new weight for a server in service under `roundrobin` (3.5 gives it the
 *   place of one that comes up: lb_fwrr.c looks at `srv->lb_tree`, which only thread groups have by now); `word` where there is
 *   no such word (2.6: the empty string);
 * - what HAProxy does, 3.5 too, and we do not: a map over several backups of unequal weight, of which the first alone is in
 *   service, gives turns to others (lb_map.c:recalc_server_map); of requests without a key on a ring, the first is refused
 *   where the first node's server is full, and others go to backups after all active servers were down
 *   (lb_chash.c:chash_get_next_server); with `hash-balance-factor`, shares are not worked out anew when servers come and go;
 *   an IPv4 address in IPv6 is hashed as IPv6.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { findHaproxy, versionOf, withHaproxy } from '../support/haproxy-process.ts';
import { LiveHaproxy, type Scenario, type Step } from '../support/live-haproxy.ts';
import { PickPlayer, type RecordedServer } from '../support/pick-player.ts';
import { seededRandom } from '../support/virtual-clock.ts';

const DEFAULT_SEED = 1;
const SEED = Number(process.env['SEED'] ?? DEFAULT_SEED);

type Request = Omit<Extract<Step, { op: 'req' }>, 'op' | 'id' | 'hold'>;

class Chance {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** From `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.#random() * (high - low + 1));
  }

  is(probability: number): boolean {
    return this.#random() < probability;
  }

  one<T>(...of: readonly T[]): T {
    return of[this.integer(0, of.length - 1)] as T;
  }

  some<T>(least: number, most: number, draw: () => T): T[] {
    return Array.from({ length: this.integer(least, most) }, draw);
  }
}

const SEGMENTS = ["~!$'()*+,:@", 'x'.repeat(400), ...' a b img index.html . .. %2F % %zz a;b=c'.split(' ')];
const QUERIES = ['', '', '', ...'? ?? ?q=1 ?q=2 ?a/b/c ?q=% ?x?y ?q=1&q=2'.split(' ')];

function uriRequest(chance: Chance): Request {
  if (chance.is(0.03)) return { method: 'OPTIONS', path: '*' };
  const path = `/${chance.some(0, 5, () => chance.one(...SEGMENTS, String(chance.integer(1, 99)))).join('/')}`;
  const target = path + chance.one(...QUERIES);
  // HAProxy answers 400 where a query follows a host.
  if (chance.is(0.1)) return absolute(chance, chance.is(0.2) ? '' : target);
  return { method: chance.one('GET', 'GET', 'HEAD', 'POST', 'DELETE'), path: target };
}

function absolute(chance: Chance, target: string): Request {
  const host = chance.one('a.example', 'b.example:8080', '[::1]');
  return { path: `${chance.one('http', 'https', 'HTTP')}://${host}${target}`, headers: { host } };
}

const VALUES = ['x'.repeat(300), ...' 1 2 a=b = %41 a?b a/b v;uid=9'.split(' ')];

function parameterRequest(chance: Chance, keyed = false): Request {
  const value = () => chance.one(...VALUES, String(chance.integer(1, 99)));
  const parameter = () => chance.one(...'uid= uid= UID= xuid= uidx= b='.split(' ')) + value();
  const parameters = chance.some(0, 4, () =>
    chance.one(parameter, parameter, () => chance.one('', 'a', 'uid', 'uid%3D1'))(),
  );
  if (keyed) parameters.push(`uid=${value()}`);
  const query = parameters.join('&');
  const path = chance.one('/', '/', '//', '/uid=3', '/a&uid=4', '/a/b');
  const target = query !== '' || chance.is(0.3) ? `${path}?${query}` : path;
  return chance.is(0.05) ? absolute(chance, target) : { method: chance.one('GET', 'GET', 'POST'), path: target };
}

const FIELDS = ['', ' ', ' , a', '\ta\t', 'a b', 'a , b', 'é, ü', '\xff', '\x80\xa0', '\xa0'].concat(
  ', ,a a, " "a "" "a,b",c "a\\",b",c a"b,c"d,e \\"a,b a\\,b'.split(' '),
);

function fieldRequest(chance: Chance, keyed = false): Request {
  const number = () => String(chance.integer(1, 40));
  const name = () => chance.one('alice', 'bob', 'CAROL', number());
  const value = chance.one(
    () => '',
    number,
    number,
    () => `user-${number()}`,
    () => chance.one(...FIELDS),
    () => chance.some(1, 3, name).join(chance.one(',', ', ', ' ,', '; ')),
    () => 'x'.repeat(chance.integer(200, 900)),
  )();
  if (keyed) return { headers: { 'X-User': `k${value}` } };
  return value === '' && chance.is(0.8) ? {} : { headers: { 'X-User': value } };
}

const LABELS = ['', 'www', 'a', 'b', 'example', 'x-1', 'com', 'org'];
const HOSTS = ['', 'a.b, c.d', ' a.b '].concat(
  '. .. .com com. a..b localhost www.example.com:8080 10.0.0.1 10.0.0.1:80 [::1] [::ffff:1.2.3.4]:80 EXAMPLE.com'.split(
    ' ',
  ),
);

function domainRequest(chance: Chance): Request {
  const host = chance.one(
    () => chance.some(1, 5, () => chance.one(...LABELS, String(chance.integer(1, 99)))).join('.'),
    () => `www.${chance.integer(1, 99)}.example`,
    () => chance.one(...HOSTS),
  )();
  return { headers: { host, 'X-User': host } };
}

function sourceRequest(chance: Chance): Request {
  const byte = () => chance.integer(0, 255);
  const group = () => chance.integer(0, 0xffff).toString(16);
  const from = chance.one(
    () => `127.0.0.${byte()}`,
    () => `192.168.${byte()}.${byte()}`,
    () => `${byte()}.${byte()}.${byte()}.${byte()}`,
    () => `2001:db8:${Array.from({ length: 6 }, group).join(':')}`,
    () => `fd00::${group()}`,
    () => '::1',
  )();
  return { from };
}

const COOKIES = ['', 'sid=1', 'sid=2; b=2', 'a=1; sid=x', 'a=1,sid=y', 'sid="q;r"', 'SID=1', 'sid', 'sid =z'];

function sampleRequest(chance: Chance): Request {
  const target = chance.one(uriRequest, parameterRequest)(chance);
  const fields = Object.entries({
    host: chance.one('x', 'a.example', 'B.example:80'),
    ...(chance.is(0.7) && { cookie: chance.one(...COOKIES) }),
    ...fieldRequest(chance).headers,
    ...target.headers,
  });
  // A pool gets values as Node's server gives them: without the blanks around them.
  const headers = fields.map(([name, value]) => [name, value.replaceAll(/^[ \t]+|[ \t]+$/g, '')]);
  return { ...target, ...sourceRequest(chance), headers: Object.fromEntries(headers) };
}

interface Kind {
  readonly balance: (chance: Chance) => string;
  readonly request: (chance: Chance, keyed: boolean) => Request;
  /** Lines that say how is hashed, where something is. */
  readonly hashing?: (chance: Chance) => string[];
  /** Requests are held, and servers may be full. */
  readonly held?: boolean;
}

function hashing(chance: Chance): string[] {
  if (chance.is(0.1)) return [];
  const line = `hash-type ${chance.one('map-based', 'consistent')}`;
  const avalanche = chance.one('', ' avalanche');
  return [chance.one(line, `${line} ${chance.one('sdbm', 'djb2', 'wt6', 'crc32')}${avalanche}`)];
}

function boundedHashing(chance: Chance): string[] {
  const line = `hash-type consistent${chance.one('', ' djb2 avalanche', ' crc32')}`;
  return [line, `hash-balance-factor ${chance.one(101, 110, 125, 150, 200, 400)}`];
}

function uriBalance(chance: Chance): string {
  const words = [chance.is(0.3) && 'whole', chance.is(0.3) && 'path-only'];
  words.push(chance.is(0.4) && `len ${chance.integer(1, 12)}`, chance.is(0.4) && `depth ${chance.integer(1, 4)}`);
  return ['uri', ...words.filter(Boolean)].join(' ');
}

const SAMPLES = [
  ...['req.hdr(x-user),lower', 'req.hdr(x-user,1)', 'req.hdr(x-user,-2)', 'req.fhdr(x-user)', 'req.cook(sid)'],
  ...['req.hdr(x-user),length', 'req.hdr(x-user),field(2,-)', 'req.hdr(x-user),crc32', 'src', 'src,ipmask(16,32)'],
  ...['path', 'pathq', 'query', 'url', 'url,upper', 'url,url_dec', 'url_param(uid)', 'base', 'method', 'str(same)'],
  ...['path,bytes(1,3)', 'path,hex', 'path,base64', 'path,sdbm(1)'],
];

const plain = (): Request => ({});
const sampleBalance = (chance: Chance): string => `hash ${chance.one(...SAMPLES)}`;

const KINDS: Readonly<Record<string, Kind>> = {
  roundrobin: { balance: () => 'roundrobin', request: plain },
  'roundrobin, held': { balance: () => 'roundrobin', request: plain, held: true },
  'static-rr': { balance: () => 'static-rr', request: plain },
  'static-rr, held': { balance: () => 'static-rr', request: plain, held: true },
  'first, held': { balance: () => 'first', request: plain, held: true },
  source: { balance: () => 'source', request: sourceRequest, hashing },
  'source, held': { balance: () => 'source', request: sourceRequest, hashing, held: true },
  uri: { balance: uriBalance, request: uriRequest, hashing },
  'uri, again': { balance: uriBalance, request: uriRequest, hashing },
  'uri, held': { balance: uriBalance, request: uriRequest, hashing, held: true },
  url_param: {
    balance: (chance) => `url_param uid${chance.one('', ' check_post')}`,
    request: parameterRequest,
    hashing,
  },
  'url_param, held': { balance: () => 'url_param uid', request: parameterRequest, hashing, held: true },
  hdr: { balance: (chance) => `hdr(${chance.one('x-user', 'X-USER')})`, request: fieldRequest, hashing },
  'hdr, held': { balance: () => 'hdr(x-user)', request: fieldRequest, hashing, held: true },
  'hdr use_domain_only': {
    balance: (chance) => `hdr(${chance.one('host', 'x-user')}) use_domain_only`,
    request: domainRequest,
    hashing,
  },
  hash: { balance: sampleBalance, request: sampleRequest, hashing },
  'hash, again': { balance: sampleBalance, request: sampleRequest, hashing },
  'hash-balance-factor': {
    balance: (chance) => chance.one('uri', 'hdr(x-user)'),
    request: (chance) => ({ ...fieldRequest(chance, true), path: `/hot${chance.integer(0, 4)}` }),
    hashing: boundedHashing,
    held: true,
  },
};

function drawServers(chance: Chance, limited: boolean): RecordedServer[] {
  const heaviest = chance.one(1, 3, 10, 30, 256);
  const backups = chance.one(0, 0, 0.3, 1);
  const [ids, firstId] = [chance.one(0, 0, 0, 0.7), chance.integer(1, 50)];
  return Array.from(
    { length: chance.integer(1, 7) },
    (_, i): RecordedServer => ({
      name: `s${i + 1}`,
      ...(chance.is(ids) && { id: ((i * 37 + firstId) % 53) + 1 }),
      ...(chance.is(0.8) && { weight: chance.is(0.07) ? 0 : chance.integer(1, heaviest) }),
      ...(chance.is(backups) && { backup: true }),
      ...(limited && chance.is(0.7) && { maxconn: chance.integer(1, 4) }),
      ...(chance.is(0.07) && { disabled: true }),
    }),
  );
}

/** Which weights an operator may give: 0 and the one declared; any; any to a server that is not in service. */
type Reweighing = 'declared' | 'any' | 'idle';

/** Gives commands, and knows which servers are in service after them. */
class Operator {
  readonly #chance: Chance;
  readonly #servers: { name: string; declared: number; weight: number; ready: boolean }[];
  readonly #reweighing: Reweighing;

  constructor(chance: Chance, servers: readonly RecordedServer[], reweighing: Reweighing) {
    this.#chance = chance;
    this.#reweighing = reweighing;
    this.#servers = servers.map(({ name, weight = 1, disabled = false }) => {
      return { name, declared: weight, weight, ready: !disabled };
    });
  }

  command(): string {
    const chance = this.#chance;
    const server = chance.one(...this.#servers);
    const verb = chance.one('disable', 'enable', 'enable', 'state', 'weight');
    if (verb === 'weight') {
      const set = `set server be/${server.name} weight`;
      const { declared } = server;
      if (this.#reweighing === 'declared') return `${set} ${chance.one('0', '0%', '100%', String(declared))}`;
      if (this.#reweighing === 'any' && chance.is(0.3)) return `${set} ${chance.integer(0, 100)}%`;
      const keeps = this.#reweighing === 'idle' && server.ready && server.weight > 0;
      server.weight = keeps ? 0 : chance.one(0, 1, declared, chance.integer(1, 20), chance.integer(1, 256));
      return `${set} ${server.weight}`;
    }
    const state = verb === 'state' ? chance.one('drain', 'maint', 'ready', 'ready') : verb;
    server.ready = state === 'ready' || state === 'enable';
    return verb === 'state' ? `set server be/${server.name} state ${state}` : `${verb} server be/${server.name}`;
  }
}

function scenarioOf(name: string, kind: Kind, chance: Chance): Scenario {
  const hashes = kind.hashing?.(chance);
  const consistent = hashes?.[0]?.startsWith('hash-type consistent') ?? false;
  const balance = kind.balance(chance);
  const fixed = balance === 'static-rr' || (hashes !== undefined && !consistent);
  let servers = drawServers(chance, kind.held === true);
  const backups = servers.filter(({ backup }) => backup).length;
  const mixed = backups > 0 && backups < servers.length;
  const allbackups = chance.is(0.3) && !(consistent && mixed);
  if (fixed && !allbackups && backups > 1) servers = servers.map(({ weight: _, ...server }) => server);
  const keyed = consistent && servers.some(({ maxconn }) => maxconn !== undefined);

  const operator = new Operator(chance, servers, fixed ? 'declared' : balance === 'roundrobin' ? 'idle' : 'any');
  const commands = kind.hashing === boundedHashing ? 0 : chance.one(0, 0.05, 0.15);
  const held: string[] = [];
  const steps: Step[] = [];
  const requests = chance.integer(40, 120);
  for (let i = 0; i < requests; i++) {
    while (chance.is(commands)) steps.push({ op: 'cmd', cmd: operator.command() });
    while (chance.is(held.length / 16))
      for (const id of held.splice(chance.integer(0, held.length - 1), 1)) steps.push({ op: 'release', id });
    const hold = kind.held === true && chance.is(0.6);
    steps.push({ op: 'req', id: `r${i}`, ...kind.request(chance, keyed), ...(hold && { hold }) });
    if (hold) held.push(`r${i}`);
  }
  const backend = [`balance ${balance}`, ...(hashes ?? []), ...(allbackups ? ['option allbackups'] : [])];
  return { name, backend, servers, steps };
}

const scenarios = Object.entries(KINDS).flatMap(([name, kind], k) =>
  [0, 1, 2, 3].map((i) => scenarioOf(`${name}/${i}`, kind, new Chance(SEED * 1_000_003 + k * 1_009 + i))),
);

const haproxy = findHaproxy();
if (haproxy === undefined) {
  withHaproxy('the same server as the HAProxy that is installed', () => assert.fail());
} else {
  const title = `the same server as HAProxy ${versionOf(haproxy)} at every request: SEED=${SEED}`;
  describe(title, { concurrency: 4 }, () => {
    let live: LiveHaproxy | undefined;
    before(async () => {
      live = await LiveHaproxy.start(haproxy, scenarios);
    });
    after(() => live?.stop());
    scenarios.forEach((scenario, index) => {
      test(scenario.name, async () => {
        assert.ok(live);
        const recorded = await live.record(index);
        const player = new PickPlayer(recorded);
        recorded.steps.forEach((step, at) => {
          const got = player.play(step);
          if (step.op !== 'req') return;
          const expected = typeof step.expect === 'string' ? step.expect : step.expect.status;
          if (got === expected) return;
          const played = JSON.stringify([{ ...recorded, steps: recorded.steps.slice(0, at + 1) }]);
          assert.equal(got, expected, `SEED=${SEED}, step ${at}: ${played}`);
        });
      });
    });
  });
}
