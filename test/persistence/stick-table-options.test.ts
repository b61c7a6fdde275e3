import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '#src/core/errors.ts';
import { StickTable } from '#src/persistence/stick-table.ts';
import { type ResolvedTable, resolveStickTable, type StickTablePhrase } from '#src/persistence/stick-table-options.ts';

/** The faults of these options, one a line: `path: message`. */
function faultsOf(options: unknown): string[] {
  try {
    new StickTable(options as never);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.faults.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

test('options as HAProxy writes them, and their defaults', () => {
  const read = (options: object): Partial<ResolvedTable> => resolveStickTable(options as never);
  assert.deepEqual(read({ type: 'ip', size: 10 }), {
    type: 'ip',
    len: 32,
    size: 10,
    expireMs: Number.POSITIVE_INFINITY,
    nopurge: false,
    data: [],
  });
  assert.equal(read({ type: 'ipv4', size: 10 }).type, 'ip');
  assert.equal(read({ type: 'string len 64', size: 10 }).len, 64);
  assert.equal(read({ type: 'binary', len: 16, size: 10 }).len, 16);
  for (const [size, entries] of [
    ['7', 7],
    ['100k', 102_400],
    ['1m', 1_048_576],
    ['8M', 8_388_608],
  ] as const)
    assert.equal(read({ type: 'ip', size }).size, entries, size);
  assert.equal(read({ type: 'ip', size: 1, expire: '30m' }).expireMs, 1_800_000);
});

test("HAProxy's phrase says the same as an object", () => {
  for (const [phrase, object] of [
    ['type ip size 100k', { type: 'ip', size: '100k' }],
    [
      ' type  string len 64\tsize 10 expire 30m nopurge ',
      { type: 'string', len: 64, size: 10, expire: '30m', nopurge: true },
    ],
    ['type integer size 10 expire 500', { type: 'integer', size: 10, expire: 500 }],
    [
      'type ipv6 size 1m store gpc0,http_req_rate(10s) store gpt0',
      { type: 'ipv6', size: '1m', store: ['gpc0', 'http_req_rate(10s)', 'gpt0'] },
    ],
  ] as const)
    assert.deepEqual(resolveStickTable(phrase as StickTablePhrase), resolveStickTable(object as never), phrase);
  const table = new StickTable('type string len 3 size 10 store gpc0');
  assert.equal(table.set('abcd', { gpc0: 1 })?.key, 'abc');
});

test('store takes a list or words with commas, and keeps a server always', () => {
  const names = (store: unknown): string[] =>
    resolveStickTable({ type: 'ip', size: 1, store } as never).data.map(({ name, periodMs }) =>
      periodMs === 0 ? name : `${name} ${periodMs}`,
    );
  assert.deepEqual(names('gpc0, http_req_rate(10s),gpc_rate(2,1m)'), [
    ...['gpc0', 'http_req_rate 10000', 'gpc_rate[0] 60000', 'gpc_rate[1] 60000'],
  ]);
  assert.deepEqual(names(['conn_cur', 'bytes_in_rate(500)', 'gpt(2)']), [
    ...['conn_cur', 'bytes_in_rate 500', 'gpt[0]', 'gpt[1]'],
  ]);
  assert.deepEqual(names(['server_id', 'server_key']), []);
  assert.deepEqual(names(''), []);
});

test('every fault names the option, the value and what is allowed', () => {
  for (const [options, ...expected] of [
    [undefined, /^options: undefined is not allowed; allowed: 'type ip size .*' or \{ type, size, … \}$/],
    [7, /^options: 7 is not allowed; allowed: /],
    ['', /^options: "" has '', which is not a word of it; allowed: /],
    ['ip 100k', /^options: "ip 100k" has 'ip', which is not a word of it/],
    ['type ip', /^size: is missing/],
    ['type ip size 1k len 5', /^options: .* has 'len', which is not a word of it/],
    ['type ip size 1k recv-only', /^recvOnly: not supported \(HAProxy: recv-only\)$/],
    ['type ip size 1k store gpc0 store constructor', /^store: "constructor" is not among the data/],
    [{ type: 'ip' }, /^size: is missing; allowed: a number of entries \(10000, '100k', '1m'\) from 1 to 8388608$/],
    [{ size: 1 }, /^type: undefined is not allowed; allowed: 'ip', 'ipv4', 'ipv6', 'integer', 'string', 'binary', /],
    [{ type: 'text', size: 1 }, /^type: "text" is not allowed; allowed: 'ip'/],
    [{ type: 'ip len 4', size: 1 }, /^type: "ip len 4" is not allowed/],
    [{ type: 'string len 0', size: 1 }, /^type: "string len 0" is not allowed/],
    [{ type: 'string len 70000', size: 1 }, /^type: "string len 70000" is not allowed/],
    [{ type: 'string', len: 0, size: 1 }, /^len: 0 is not allowed; allowed: an integer from 1 to 65535$/],
    [{ type: 'string len 4', len: 4, size: 1 }, /^len: is said twice/],
    [{ type: 'ip', len: 4, size: 1 }, /^len: is for the types string and binary$/],
    ...([0, -1, 1.5, Number.NaN, '1g', '9m', 'many', '1 k', true, 2 ** 23 + 1].map((size) => [
      { type: 'ip', size },
      /^size: .* is not allowed; allowed: a number of entries .* from 1 to 8388608$/,
    ]) as [object, RegExp][]),
    [{ type: 'ip', size: 1, expire: 0 }, /^expire: 0 is not allowed; allowed: a duration/],
    [{ type: 'ip', size: 1, expire: '25d' }, /^expire: "25d" is not allowed; .* at most 2147483647 ms$/],
    [{ type: 'ip', size: 1, nopurge: 'yes' }, /^nopurge: "yes" is not allowed; allowed: true or false$/],
    [{ type: 'ip', size: 1, nopurgee: true }, /^nopurgee: is not an option; did you mean 'nopurge'\?$/],
    [{ type: 'ip', size: 1, peers: 'p' }, /^peers: not supported \(HAProxy: peers\)$/],
    [{ type: 'ip', size: 1, srvkey: 'addr' }, /^srvkey: not supported \(HAProxy: srvkey\): servers are kept by name$/],
    [{ type: 'ip', size: 1, store: 7 }, /^store: 7 is not allowed; allowed: HAProxy's words/],
    [{ type: 'ip', size: 1, store: [7] }, /^store: 7 is not among the data of a table; allowed: conn_cnt, /],
    [{ type: 'ip', size: 1, store: 'requests' }, /^store: "requests" is not among the data of a table/],
    [{ type: 'ip', size: 1, store: 'glitch_cnt' }, /^store: "glitch_cnt" is not supported: it is of connections/],
    [{ type: 'ip', size: 1, store: ['sess_rate(10s)'] }, /^store: "sess_rate\(10s\)" is not supported/],
    [{ type: 'ip', size: 1, store: 'gpc0(1)' }, /^store: "gpc0\(1\)" takes no argument$/],
    [{ type: 'ip', size: 1, store: 'http_req_rate' }, /^store: "http_req_rate" needs the period that it is counted/],
    [{ type: 'ip', size: 1, store: 'http_req_rate(0)' }, /needs the period that it is counted over, 1 to 2147483647/],
    [{ type: 'ip', size: 1, store: 'http_req_rate(1s,2s)' }, /needs the period/],
    [{ type: 'ip', size: 1, store: 'gpc(0)' }, /^store: "gpc\(0\)" needs how many there are, 1 to 100$/],
    [{ type: 'ip', size: 1, store: 'gpt(101)' }, /^store: "gpt\(101\)" needs how many there are, 1 to 100$/],
    [{ type: 'ip', size: 1, store: 'gpc(2,10s)' }, /^store: "gpc\(2,10s\)" takes one argument$/],
    [{ type: 'ip', size: 1, store: 'gpc_rate(2)' }, /^store: "gpc_rate\(2\)" needs the period/],
    [{ type: 'ip', size: 1, store: ['gpc0', 'gpc0'] }, /^store: "gpc0" is there twice$/],
    [{ type: 'ip', size: 1, store: 'gpc1,gpc(2)' }, /^store: "gpc1" is a part of gpc, which is stored, too$/],
  ] as readonly [unknown, ...RegExp[]][]) {
    const faults = faultsOf(options);
    assert.equal(faults.length, expected.length, `${JSON.stringify(options)}: ${faults.join(' | ')}`);
    for (const [at, pattern] of expected.entries()) assert.match(faults[at] ?? '', pattern);
  }
});
