import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RequestContext } from '#src/core/context.ts';
import { avalanche, djb2, HASH_FUNCTIONS, type HashFunctionName } from '#src/hashing/functions.ts';
import {
  hashHeader,
  hashSample,
  hashSource,
  hashUri,
  hashUrlParam,
  type ReadHash,
} from '#src/schedulers/hash-inputs.ts';
import type { HashSettings } from '#src/schedulers/hash-type.ts';
import { makeServer } from '../support/make-server.ts';
import { GroupView, SchedulerGroup } from '../support/scheduler-group.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const settings = (name: HashFunctionName, spread = false): HashSettings => ({
  method: 'map-based',
  function: name,
  avalanche: spread,
  balanceFactor: 0,
  preserveAffinity: 'always',
});
const DJB2 = settings('djb2');

/** What is hashed is just that; `undefined`: the request has nothing to be hashed. */
function hashes(read: ReadHash, context: RequestContext, text: string | undefined): void {
  assert.equal(read(context), text === undefined ? undefined : djb2(text), `${JSON.stringify(context)}: not ${text}`);
}

describe('uri', () => {
  const ALL = { whole: false, pathOnly: false, len: Number.POSITIVE_INFINITY, depth: Number.POSITIVE_INFINITY };
  const rows: [options: Partial<typeof ALL>, url: string | undefined, hashed: string | undefined][] = [
    [{}, '/a/b?c=d', '/a/b'],
    [{}, '?a', ''],
    [{}, '*', '*'],
    [{}, undefined, undefined],
    [{}, 'http://h:81/a?b', 'http://h:81/a'],
    [{ whole: true }, '/a/b?c=/d?e', '/a/b?c=/d?e'],
    [{ len: 3 }, '/a/b', '/a/'],
    [{ len: 4 }, '/a/b', '/a/b'],
    [{ depth: 1 }, '/a/b/c', '/a'],
    [{ depth: 2 }, '/a/b/c', '/a/b'],
    [{ depth: 2 }, '/a/b/', '/a/b'],
    [{ depth: 2 }, '//a/b', '//a'],
    [{ depth: 1, whole: true }, '/a?b/c', '/a?b'],
    [{ depth: 3 }, 'http://h/a/b', 'http://h/a'],
    [{ pathOnly: true }, '/a/b?c', '/a/b'],
    [{ pathOnly: true }, 'http://h:81/a/b?c', '/a/b'],
    [{ pathOnly: true }, 'https://h', ''],
    [{ pathOnly: true }, 'http://h?a=/b', ''],
    [{ pathOnly: true }, '*', ''],
    [{ pathOnly: true }, '/a?to=http://h/b', '/a'],
    [{ pathOnly: true, depth: 1 }, 'http://h/a/b', '/a'],
    [{ pathOnly: true, len: 3 }, 'http://h/a/b', '/a/'],
    [{ pathOnly: true, whole: true }, 'http://h/a?b', '/a?b'],
  ];
  for (const [options, url, hashed] of rows)
    test(`${JSON.stringify(options)} of ${url} is ${hashed}`, () => {
      hashes(hashUri({ ...ALL, ...options }, DJB2), url === undefined ? {} : { url }, hashed);
    });
});

describe('url_param', () => {
  const rows: [url: string | undefined, hashed: string | undefined][] = [
    ['/?k=1', '1'],
    ['/a?b=2&k=1&c=3', '1'],
    ['/?k=1&k=2', '1'],
    ['/?k=', ''],
    ['/?k=1?k=2', '1?k=2'],
    ['/?kk=1&k=2', '2'],
    ['/?xk=1', undefined],
    ['/?k', undefined],
    ['/?a=k=1', undefined],
    ['/?k=%20+ a', '%20+ a'],
    ['/k=1', undefined],
    [undefined, undefined],
  ];
  for (const [url, hashed] of rows)
    test(`k of ${url} is ${hashed}`, () => {
      const body = 'k=body';
      hashes(hashUrlParam('k', false, DJB2), { method: 'POST', url, bodyStart: body }, hashed);
      hashes(hashUrlParam('k', true, DJB2), { method: 'PUT', url, bodyStart: body }, hashed);
      hashes(hashUrlParam('k', true, DJB2), { method: 'POST', url, bodyStart: body }, hashed ?? 'body');
      hashes(hashUrlParam('k', true, DJB2), { method: 'POST', url }, hashed);
    });

  const bodies: [body: string, hashed: string | undefined][] = [
    ['a=1&k=2&c=3', '2'],
    ['k=', ''],
    ['k=1\r\n', '1'],
    ['k=1 2', '1'],
    ['{"k":1}', undefined],
  ];
  for (const [bodyStart, hashed] of bodies)
    test(`k of the body ${JSON.stringify(bodyStart)} is ${hashed}`, () => {
      hashes(hashUrlParam('k', true, DJB2), { method: 'POST', url: '/?a=1', bodyStart }, hashed);
    });
});

describe('hdr', () => {
  const rows: [value: string, hashed: string | undefined][] = [
    ['a,b', 'a'],
    ['a , b', 'a'],
    ['  a b\t', 'a b'],
    ['"a,b",c', '"a,b"'],
    ['"a\\",b",c', '"a\\",b"'],
    ['"a,b', '"a,b'],
    ['a"b,c"d,e', 'a"b,c"d'],
    ['', undefined],
    [' \t ', undefined],
    [',b', undefined],
    [' , b', undefined],
  ];
  for (const [value, hashed] of rows)
    test(`${JSON.stringify(value)} is ${hashed}`, () => {
      hashes(hashHeader('X-K', false, DJB2), { headers: { 'x-k': value, 'x-kk': 'other' } }, hashed);
    });

  const domains: [value: string, hashed: string | undefined][] = [
    ['haproxy.1wt.eu', '1wt'],
    ['www.example.com', 'example'],
    ['a.b.c.d', 'c'],
    ['example.com:8080', 'example'],
    ['localhost', 'localhost'],
    ['www.example.com.', 'com'],
    ['.com', '.com'], // HAProxy does not look at a dot in front
    ['www.example.com, other.host.org', 'example'],
    [' example.com ', 'example'],
    ['', undefined],
  ];
  for (const [value, hashed] of domains)
    test(`the domain of ${JSON.stringify(value)} is ${hashed}`, () => {
      hashes(hashHeader('host', true, DJB2), { headers: { host: value } }, hashed);
    });

  test('a request without the field has nothing to be hashed', () => {
    for (const context of [{}, { headers: {} }, { headers: { other: 'a' } }, { headers: { ':authority': 'a' } }])
      hashes(hashHeader('x-k', false, DJB2), context, undefined);
  });

  test('of a field that came more than once it is the first', () => {
    hashes(hashHeader('set-cookie', false, DJB2), { headers: { 'set-cookie': ['a=1', 'b=2'] } }, 'a=1');
    hashes(hashHeader('set-cookie', false, DJB2), { headers: { 'set-cookie': [] } }, undefined);
  });

  test('host is the authority of HTTP/2 where there is no host', () => {
    hashes(hashHeader('Host', false, DJB2), { headers: { ':authority': 'a.example' } }, 'a.example');
    hashes(hashHeader('host', true, DJB2), { headers: { ':authority': 'a.example.org' } }, 'example');
    hashes(hashHeader('host', false, DJB2), { headers: { ':authority': 'a', host: 'b' } }, 'b');
  });
});

describe('source', () => {
  const rows: [address: string | undefined, hash: number | undefined][] = [
    ['10.1.2.3', 0x0a010203],
    ['::ffff:10.1.2.3', 0x0a010203],
    ['2001:db8::2:1', 0x20010db8 ^ 0x00020001],
    ['1:2:3:4:5:6:7:8', 0x00010002 ^ 0x00030004 ^ 0x00050006 ^ 0x00070008],
    ['fe80::1%eth0', 0xfe800000 ^ 1],
    ['::', 0],
    ['localhost', undefined],
    ['', undefined],
    [undefined, undefined],
  ];
  for (const [remoteAddress, hash] of rows)
    test(`${remoteAddress} is ${hash}, whatever the function, and spread only if that is asked for`, () => {
      for (const name of Object.keys(HASH_FUNCTIONS) as HashFunctionName[]) {
        assert.equal(hashSource(settings(name), new GroupView())({ remoteAddress }), hash);
        assert.equal(
          hashSource(settings(name, true), new GroupView())({ remoteAddress }),
          hash === undefined ? undefined : avalanche(hash),
        );
      }
    });

  test('is the address that the pool says the client has', () => {
    const view = Object.assign(new GroupView(), { addressOf: ({ url }: RequestContext) => url });
    assert.equal(hashSource(DJB2, view)({ url: '1.2.3.4', remoteAddress: '9.9.9.9' }), 0x01020304);
  });
});

test('every function, spread or not, has its say over every input but the address', () => {
  for (const [name, hash] of Object.entries(HASH_FUNCTIONS) as [HashFunctionName, (text: string) => number][])
    for (const spread of [false, true]) {
      const expected = spread ? avalanche(hash('12345')) : hash('12345');
      const context = { url: '12345?k=12345', headers: { 'x-k': '12345' } };
      const uri = { whole: false, pathOnly: false, len: 100, depth: 100 };
      for (const read of [
        hashUri(uri, settings(name, spread)),
        hashUrlParam('k', false, settings(name, spread)),
        hashHeader('x-k', false, settings(name, spread)),
        hashSample(
          () => '12345',
          settings(name, spread),
          () => assert.fail(),
        ),
      ])
        assert.equal(read(context), expected, `${name} ${spread}`);
    }
});

describe('hash', () => {
  /** The places of servers in a row of three that requests are given: HAProxy's map is one turn each. */
  const placeOf = (key: unknown, hashType: string, context: RequestContext = {}): number | undefined => {
    const group = new SchedulerGroup({ balance: { algorithm: 'hash', key }, hashType });
    group.add(makeServer(1), makeServer(2), makeServer(3));
    return (group.pick(context)?.id ?? 0) - 1;
  };

  test('of what a function gives, of text and bytes', () => {
    for (const text of ['a', 'b', 'user 7', '', 'é', '\u20ac']) {
      const bytes = Buffer.from(text, text > 'ÿ' ? 'utf8' : 'latin1');
      const places = [text, bytes].map((value) => placeOf(() => value, 'map-based djb2'));
      assert.deepEqual(places, new Array(2).fill((djb2(text) >>> 0) % 3));
    }
  });

  test('of a number without a function is the number itself, as HAProxy makes text of it', () => {
    const numbers = [0, 1, 2, 7, 1_000_001];
    const places = numbers.map((n) => placeOf(() => n, 'map-based none'));
    const expected = numbers.map((n) => n % 3);
    assert.deepEqual(places, expected);
    assert.equal(placeOf('req.hdr(x-n)', 'map-based none', { headers: { 'x-n': '8' } }), 2);
    assert.equal(placeOf('src', 'map-based none', { remoteAddress: '11.0.0.1' }), 2);
  });

  test('of nothing, or of a function that fails, goes on by turn; what failed is reported', async () => {
    const unheard: unknown[] = [];
    const note = (error: unknown): void => void unheard.push(error);
    process.on('unhandledRejection', note);
    const fault = new Error('from the key function');
    const throws = (): never => {
      throw fault;
    };
    for (const [key, reported] of [
      [() => undefined, 'nothing'],
      [() => null, 'nothing'],
      ['req.hdr(x-none)', 'nothing'],
      [throws, 'fault'],
      [async () => throws(), 'misuse'],
      [async () => 'a', 'misuse'],
      [() => ({}), 'misuse'],
    ] as const) {
      const group = new SchedulerGroup({ balance: { algorithm: 'hash', key } });
      group.add(makeServer(1), makeServer(2), makeServer(3));
      const picked = Array.from({ length: 4 }, () => group.pick()?.id);
      assert.deepEqual(picked, [1, 2, 3, 1]);
      const { reports } = group.view;
      assert.equal(reports.length, reported === 'nothing' ? 0 : 4);
      for (const [sample, error] of reports) {
        assert.equal(sample, 'balance: the key function');
        assert.ok(reported === 'fault' ? error === fault : error instanceof TypeError);
      }
    }
    await new VirtualClock().settle();
    process.off('unhandledRejection', note);
    assert.deepEqual(unheard, []);
  });
});
