import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RequestContext } from '#src/core/context.ts';
import { OptionReader } from '#src/core/options.ts';
import type { Ruling } from '#src/pool/rule-answers.ts';
import type { Treatment } from '#src/pool/rule-treatment.ts';
import { readRules } from '#src/pool/rules.ts';
import { treatment } from './treatment.ts';

type Key = 'httpRequest' | 'httpResponse';

/** What comes of rules for a request, and of how it is treated. */
function apply(
  rules: unknown,
  { target = '/', headers = {}, key = 'httpRequest' as Key } = {},
): { ruling: Ruling | undefined; treated: Treatment; faults: string[] } {
  const read = new OptionReader({ [key]: rules }, '');
  const compiled = readRules<RequestContext>(read, key, new Map());
  read.throwFaults();
  const treated = treatment(target);
  const faults: string[] = [];
  const report = (sample: string, error: unknown): void => void faults.push(`${sample}: ${(error as Error).message}`);
  const ruling = compiled?.apply({ method: 'GET', url: target, headers }, headers, treated, report);
  return { ruling, treated, faults };
}

function locationOf(redirect: unknown, target: string, headers: object = { host: 'front.test' }): string | undefined {
  const { ruling } = apply([{ redirect }], { target, headers });
  return ruling?.headers.find(([name]) => name === 'location')?.[1] as string | undefined;
}

test('the first rule that answers ends the rules; what came before it holds', () => {
  const { ruling, treated } = apply([
    { setPriority: { class: 1 } },
    { deny: 429, if: () => true },
    { setPriority: { class: 2 } },
    { deny: 403 },
  ]);
  assert.deepEqual([ruling?.status, ruling?.flags, treated.priority], [429, 'PR', { class: 1 }]);
  assert.equal(apply([{ deny: true, if: () => false }]).ruling, undefined);
});

test('a rule that answers and cannot is reported, and the request goes on', () => {
  const { ruling, faults } = apply([
    {
      deny: true,
      if: () => {
        throw new Error('no idea');
      },
    },
    { return: () => 'text' },
    { return: () => ({ body: 5 }) },
    { return: () => ({ headers: { 'content-length': '5' } }) },
    { return: async () => Promise.reject(new Error('unheard')) },
    { redirect: () => 'a\r\nb' },
    { redirect: () => 5 },
    { redirect: async () => '/' },
    { redirect: () => '' },
  ]);
  assert.equal(ruling, undefined);
  assert.deepEqual(
    faults.map((fault) => fault.replace(/; allowed.*/, '')),
    [
      'httpRequest[0].deny: no idea',
      'httpRequest[1].return: httpRequest[1].return: "text" is not an object',
      'httpRequest[2].return: httpRequest[2].return.body: 5 is not allowed',
      'httpRequest[3].return: httpRequest[3].return.headers: the field "content-length" cannot be sent',
      'httpRequest[4].return: the function returned a promise; it must answer at once',
      'httpRequest[5].redirect: "a\\r\\nb" cannot be a Location',
      'httpRequest[6].redirect: 5 cannot be a Location',
      'httpRequest[7].redirect: the function returned a promise; it must answer at once',
    ],
  );
});

test('flags and default statuses are HAProxy’s', () => {
  const seen = (rule: object, key: Key = 'httpRequest'): unknown[] => {
    const { ruling } = apply([rule], { key });
    return [ruling?.status, ruling?.flags, ruling?.tarpit];
  };
  assert.deepEqual(seen({ deny: true }), [403, 'PR', false]);
  assert.deepEqual(seen({ tarpit: true }), [500, 'PT', true]);
  assert.deepEqual(seen({ return: {} }), [200, 'LR', false]);
  assert.deepEqual(seen({ redirect: '/' }), [302, 'LR', false]);
  assert.deepEqual(seen({ deny: true }, 'httpResponse'), [502, 'PH', false]);
  assert.deepEqual(seen({ return: {} }, 'httpResponse'), [200, 'LH', false]);
  assert.deepEqual(seen({ redirect: '/' }, 'httpResponse'), [302, 'LH', false]);
});

test('redirects: what HAProxy makes of location, prefix and scheme', () => {
  const cases: [redirect: unknown, target: string, location: string | undefined][] = [
    ['/a', '/x?y', '/a'],
    [{ location: '/a?b', keepQuery: true }, '/x?y=1', '/a?b&y=1'],
    [{ location: '/a', keepQuery: true }, '/x', '/a'],
    [{ prefix: '/new' }, '/x?y', '/new/x?y'],
    [{ prefix: '/', setCookie: 'a' }, '/x?y', '/x?y'],
    [{ prefix: '/new', dropQuery: true }, '/x?y?z', '/new/x'],
    [{ prefix: '/', dropQuery: true, appendSlash: true }, '/x/?y', '/x/'],
    [{ prefix: '/', appendSlash: true }, '/x?y', '/x/?y'],
    [{ prefix: ({ url }: RequestContext) => `https://b.test${url?.length}` }, '/x', 'https://b.test2/x'],
    [{ prefix: () => undefined }, '/x', undefined],
    [{ scheme: 'https' }, '/x?y', 'https://front.test/x?y'],
    [{ scheme: 'https' }, 'http://front.test/x', 'https://front.test/x'],
    [{ scheme: 'https' }, 'http://front.test', 'https://front.test/'],
    [{ scheme: 'https' }, 'http://front.test?y', 'https://front.test/?y'],
    [{ scheme: 'https' }, '*', 'https://front.test/'],
    [{ prefix: '/' }, '//evil.test/', '/evil.test/'],
    [{ prefix: '/n' }, '/caf\xe9 x', '/n/caf%E9%20x'],
  ];
  for (const [redirect, target, location] of cases)
    assert.equal(locationOf(redirect, target), location, `${JSON.stringify(redirect)} ${target}`);
  assert.equal(locationOf({ scheme: 'https' }, '/x', { ':authority': 'h2.test:81' }), 'https://h2.test:81/x');
  assert.equal(locationOf({ scheme: 'https' }, '/x', {}), 'https:///x', 'as HAProxy: the same host, to most browsers');
});

test('redirects: whatever a client sends as its target, no other host and no second field come of it', () => {
  const piece = fc.constantFrom('/', '//', '?', '#', '\\', '\r\n', ' ', 'evil.test', 'http://', '@', ':', '\xff', 'a');
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join('')),
      (target) => {
        for (const redirect of [{ prefix: '/' }, { prefix: '/', dropQuery: true, appendSlash: true }]) {
          const location = locationOf(redirect, target) ?? '';
          assert.match(location, /^\/(?![/\\])[\x21-\x7e]*$/);
          assert.equal(new URL(location, 'http://front.test').host, 'front.test');
        }
        assert.equal(new URL(locationOf({ scheme: 'https' }, target) ?? '').host, 'front.test');
      },
    ),
  );
});

test('cookies of a redirect', () => {
  const cookies = (redirect: object): unknown =>
    apply([{ redirect: { location: '/', ...redirect } }]).ruling?.headers.find(([name]) => name === 'set-cookie')?.[1];
  assert.deepEqual(cookies({ setCookie: 'seen' }), ['seen=; path=/']);
  assert.deepEqual(cookies({ setCookie: 'seen=1', clearCookie: 'user' }), [
    'seen=1; path=/',
    'user=; path=/; Max-Age=0',
  ]);
  assert.equal(cookies({}), undefined);
});

test('setTimeout: other limits for this request alone', () => {
  const pool = treatment().timeouts;
  const { treated, faults } = apply([
    { setTimeout: { server: '2m', tunnel: 'infinite', tarpit: 5 } },
    {
      setTimeout: {
        connect: ({ method }: RequestContext) => (method === 'GET' ? '1s' : '2s'),
        client: () => undefined,
      },
    },
    { setTimeout: { server: () => 0 } },
    { setTimeout: { server: async () => 1 } },
  ]);
  assert.deepEqual(treated.timeouts, {
    ...pool,
    serverMs: 120_000,
    tunnelMs: Number.POSITIVE_INFINITY,
    tarpitMs: 5,
    connectMs: 1_000,
  });
  assert.deepEqual(
    faults.map((fault) => fault.replace(/; allowed.*/, '')),
    [
      'httpRequest[2].setTimeout: httpRequest[2].setTimeout.server: 0 is not allowed',
      'httpRequest[3].setTimeout: the function returned a promise; it must answer at once',
    ],
  );
});

test('setPriority and disableL7Retry are noted on the request', () => {
  const { treated, faults } = apply([
    { setPriority: { class: -2047 } },
    { setPriority: { offset: 524_287 } },
    { setPriority: () => undefined },
    { disableL7Retry: true },
  ]);
  const { priority, l7RetryDisabled } = treated;
  assert.deepEqual([priority, l7RetryDisabled, faults], [{ class: -2047, offset: 524_287 }, true, []]);
  const made = apply([
    { setPriority: ({ url }: RequestContext) => ({ class: url?.length, offset: -1 }) },
    { setPriority: () => ({ class: 2048 }) },
    { setPriority: () => 5 },
  ]);
  assert.deepEqual([made.treated.priority, made.treated.l7RetryDisabled], [{ class: 1, offset: -1 }, false]);
  assert.deepEqual(
    made.faults.map((fault) => fault.replace(/; allowed.*/, '')),
    [
      'httpRequest[1].setPriority: httpRequest[1].setPriority.class: 2048 is not allowed',
      'httpRequest[2].setPriority: httpRequest[2].setPriority: 5 is not an object',
    ],
  );
});

test('wrong rules are named: where, what, and what is allowed', () => {
  const cases: [rule: object, fault: string, key?: Key][] = [
    [
      { deny: false },
      '.deny: false is not allowed; allowed: true, a status from 200 to 599, or { status, headers, body }',
    ],
    [{ deny: 100 }, '.deny.status: 100 is not allowed; allowed: an integer from 200 to 599'],
    [{ deny: '403' }, '.deny: "403" is not allowed'],
    [{ deny: { code: 403 } }, '.deny.code: is not an option'],
    [{ deny: { headers: { connection: 'close' } } }, '.deny.headers: the field "connection" cannot be sent'],
    [{ tarpit: { body: 5 } }, '.tarpit.body: 5 is not allowed; allowed: a string or a Buffer'],
    [{ return: 5 }, '.return: 5 is not an object'],
    [{ return: { status: 204, body: 'x' } }, '.return.body: an answer of status 204 has no body'],
    [{ redirect: 5 }, '.redirect: 5 is not an object'],
    [{ redirect: {} }, '.redirect: says not where to; allowed: location, prefix, scheme'],
    [{ redirect: '' }, '.redirect.location: "" is not allowed; allowed: a string that is not empty'],
    [{ redirect: { location: '/', prefix: '/' } }, '.redirect.prefix: a redirect has one of location, prefix, scheme'],
    [
      { redirect: { location: '/', code: 300 } },
      '.redirect.code: 300 is not allowed; allowed: 301, 302, 303, 307, 308',
    ],
    [{ redirect: { location: '/', dropQuery: true } }, ".redirect.dropQuery: has no meaning with 'location'"],
    [{ redirect: { prefix: '/', keepQuery: true } }, ".redirect.keepQuery: has no meaning with 'prefix'"],
    [{ redirect: { scheme: 'ht tp' } }, '.redirect.scheme: "ht tp" is not allowed; allowed: a scheme'],
    [{ redirect: { location: 'a\nb' } }, '.redirect.location: "a\\nb" is not allowed'],
    [{ redirect: { location: '/', setCookie: 'a;b' } }, '.redirect.setCookie: "a;b" is not allowed'],
    [{ redirect: { location: '/', clearCookie: 'a b' } }, '.redirect.clearCookie: "a b" is not allowed'],
    [{ setTimeout: '5s' }, '.setTimeout: "5s" is not an object'],
    [{ setTimeout: { server: 0 } }, '.setTimeout.server: 0 is not allowed; allowed: a duration'],
    [{ setTimeout: { check: '5s' } }, '.setTimeout.check: is no limit of a request'],
    [{ setTimeout: { httpRequest: '5s' } }, '.setTimeout.httpRequest: not supported (HAProxy: timeout http-request)'],
    [{ setPriority: 5 }, '.setPriority: 5 is not an object'],
    [
      { setPriority: { class: 2048 } },
      '.setPriority.class: 2048 is not allowed; allowed: an integer from -2047 to 2047',
    ],
    [
      { setPriority: { offset: 0.5 } },
      '.setPriority.offset: 0.5 is not allowed; allowed: an integer from -524287 to 524287',
    ],
    [{ disableL7Retry: false }, '.disableL7Retry: false is not allowed; allowed: true'],
    [{ deny: 403, tarpit: true }, '.tarpit: a rule has one action; make it two rules'],
    [{ tarpit: true }, '.tarpit: is decided before there is a response: make it a rule of httpRequest', 'httpResponse'],
    [{ setTimeout: {} }, '.setTimeout: is decided before there is a response', 'httpResponse'],
    [{ setPriority: {} }, '.setPriority: is decided before there is a response', 'httpResponse'],
    [{ disableL7Retry: true }, '.disableL7Retry: is decided before there is a response', 'httpResponse'],
    [{ track: 'src' }, '.track: not supported (HAProxy: http-response track-sc0)', 'httpResponse'],
    [{ track: 'src' }, ": needs a table: 'table', or the pool's option 'stickTable'"],
    [
      { track: 'src', table: 'x' },
      '.table: "x" is not allowed; allowed: a table, or the name of one in \'tables\': there is none',
    ],
  ];
  for (const [rule, fault, key = 'httpRequest'] of cases) {
    const read = new OptionReader({ [key]: [rule] }, '');
    readRules(read, key, new Map());
    const faults = read.faults.map(({ path, message }) => `${path.replace(`${key}[0]`, '')}: ${message}`);
    assert.equal(faults.length, 1, `${JSON.stringify(rule)}: ${faults.join(' | ')}`);
    assert.ok(faults[0]?.startsWith(fault), `${JSON.stringify(rule)}: ${faults[0]}`);
  }
});
