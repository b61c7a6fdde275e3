/** What a table does for requests and operators; keys, options and random histories have files of their own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { ConfigError } from '#src/core/errors.ts';
import { ServerNames } from '#src/persistence/server-names.ts';
import { StickTable } from '#src/persistence/stick-table.ts';
import type { StickTableOptions } from '#src/persistence/stick-table-options.ts';
import type { StickEntry, Tracking } from '#src/persistence/table.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

function stage(options: Partial<StickTableOptions> = {}) {
  const clock = new VirtualClock();
  const table = new StickTable({ type: 'string', size: 10, ...options } as StickTableOptions, clock);
  return { clock, table };
}

function tracked(table: StickTable, key: string): Tracking {
  const tracking = table.track(key);
  assert.ok(tracking);
  return tracking;
}

/** The faults of what is thrown, one a line. */
function faultsOf(act: () => unknown): string[] {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.faults.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

test('storing, matching and tracking put off when an entry expires; reading and a filter do not', () => {
  const { clock, table } = stage({ expire: '10s' });
  const left = (): number | undefined => table.get('a')?.expiresInMs;
  table.store('a', 's1');
  clock.advance(4_000);
  assert.equal(left(), 6_000);
  assert.equal([...table].length + [...table.filter(() => true)].length, 2);
  assert.equal(left(), 6_000);
  assert.equal(table.lookup('a'), 's1');
  assert.equal(left(), 10_000);
  clock.advance(9_999);
  const tracking = tracked(table, 'a');
  assert.equal(left(), 10_000);
  clock.advance(15_000);
  assert.equal(table.get('a')?.use, 1, 'its time is over, but somebody tracks it');
  assert.equal(table.lookup('a'), 's1');
  clock.advance(15_000);
  tracking.release();
  assert.equal(left(), 10_000);
  clock.advance(10_000);
  assert.equal(table.get('a'), undefined);
  assert.equal(table.lookup('a'), undefined);
});

test('a full table gives up what was used longest ago; with nopurge it takes nothing new until something expires', () => {
  const { table } = stage({ size: 2 });
  for (const key of ['a', 'b']) table.store(key, 's1');
  table.lookup('a');
  table.get('b');
  assert.equal(table.store('c', 's1'), true);
  assert.deepEqual([...table].map(({ key }) => key).sort(), ['a', 'c']);

  const { clock, table: firm } = stage({ size: 2, nopurge: true, expire: '10s' });
  for (const key of ['a', 'b']) firm.store(key, 's1');
  assert.equal(firm.store('c', 's1'), false);
  assert.equal(firm.track('c'), undefined);
  assert.equal(firm.set('c', { server: 's1' }), undefined);
  assert.equal(firm.store('a', 's2'), true);
  assert.equal(firm.refused, 3);
  clock.advance(10_000);
  assert.equal(firm.store('c', 's1'), true);
});

test('a table full of tracked entries refuses new ones at once, loses none, and takes them when there is room', () => {
  const { table } = stage({ size: 1_000, store: 'conn_cur' });
  const held = Array.from({ length: 1_000 }, (_, n) => tracked(table, `k${n}`));
  for (let n = 0; n < 10_000; n++) assert.equal(table.track(`new${n}`), undefined);
  assert.deepEqual([table.refused, table.size, table.limit], [10_000, 1_000, 1_000]);
  assert.equal(table.untracked.conn_cur, 0);
  held[500]?.release();
  // It is the one that was used last: those that are tracked stand before it, and are passed over 200 at a time.
  let tries = 1;
  while (!table.store('new', 's1')) tries++;
  assert.ok(tries <= 6, String(tries));
  assert.equal(table.get('k500'), undefined);
  for (let n = 0; n < 1_000; n++) if (n !== 500) assert.equal(table.get(`k${n}`)?.conn_cur, 1);
});

test('what a request does is counted in the entry that it tracks', () => {
  const words = 'conn_cnt,conn_cur,conn_rate(10s),http_req_cnt,http_req_rate(10s),http_err_cnt,http_fail_cnt';
  const { clock, table } = stage({ store: `${words},bytes_in_cnt,bytes_out_cnt,bytes_out_rate(1s)` });
  const [first, second] = [tracked(table, 'a'), tracked(table, 'a')];
  first.request();
  second.request();
  for (const status of [200, 302, 404, 429, 500, 501, 503, 505, 600]) first.response(status);
  second.error();
  second.failure();
  first.bytesIn(5_000_000_000);
  first.bytesIn(1);
  first.bytesOut(300);
  assert.deepEqual(table.get('a'), {
    key: 'a',
    use: 2,
    expiresInMs: Number.POSITIVE_INFINITY,
    ...{ conn_cnt: 2, conn_cur: 2, conn_rate: 2, http_req_cnt: 2, http_req_rate: 2 },
    ...{ http_err_cnt: 3, http_fail_cnt: 3, bytes_in_cnt: 5_000_000_001, bytes_out_cnt: 300, bytes_out_rate: 300 },
  });
  second.release();
  second.release();
  assert.equal(table.get('a')?.conn_cur, 1);
  clock.advance(15_000);
  assert.equal(first.tracked.http_req_rate, 1, 'half of the last period counts');
  clock.advance(5_001);
  assert.equal(first.tracked.http_req_rate, 0);
});

test('rules read what an entry has, raise gpc and mark gpt, and are told of what is not stored', () => {
  const { table } = stage({ store: 'gpc(2),gpc_rate(2,10s),gpt(1)' });
  const tracking = tracked(table, 'a');
  const { tracked: view } = tracking;
  view.increment('gpc[1]');
  view.increment('gpc[1]', 4);
  view.increment('gpc0', 2);
  view.mark('gpt[0]', 7);
  assert.deepEqual([view.key, view.server, view.gpc, view.gpc_rate, view.gpt], ['a', undefined, [2, 5], [2, 5], [7]]);
  assert.deepEqual([view.gpc0, view.gpc1, view.gpc1_rate, view.gpt0], [2, 5, 5, 7], 'the single ones are the first');
  assert.throws(
    () => view.http_req_cnt,
    /^TypeError: the table does not store http_req_cnt; it stores: server, gpc, gpc_/,
  );
  assert.throws(() => view.increment('gpc[2]'), /does not store gpc\[2\]/);
  assert.throws(() => view.increment('gpt[0]' as never), /there is no gpt\[0\] to change/);
  assert.throws(() => view.increment('gpc0', -1), /gpc0 takes an integer from 0 to 4294967295/);
  assert.throws(() => view.mark('gpt[0]', Number.NaN), /gpt\[0\] takes an integer/);
  tracking.release();
  view.increment('gpc0');
  assert.deepEqual([view.key, view.gpc], [undefined, [0, 0]]);
  assert.deepEqual(table.get('a')?.gpc, [2, 5], 'after the end nothing is changed');
  assert.deepEqual([table.untracked.key, table.untracked.gpc], [undefined, [0, 0]]);
});

test('a name that an entry has not is an error and not undefined, but for what others look for in any object', async () => {
  const { table } = stage({ store: 'http_req_rate(10s),gpc0' });
  const { tracked: view } = tracked(table, 'a');
  const has = 'it has: key, server, increment, mark, http_req_rate, gpc0';
  for (const [name, said] of [
    ['http_req_rat', `tracked has no http_req_rat; did you mean 'http_req_rate'? ${has}`],
    ['httpReqRate', `tracked has no httpReqRate; did you mean 'http_req_rate'? ${has}`],
    ['conn_rat', `tracked has no conn_rat; did you mean 'conn_rate'? ${has}`],
    ['gpc[0]', `tracked has no gpc[0]; ${has}`],
    ['requests', `tracked has no requests; ${has}`],
  ] as const)
    for (const seen of [view, table.untracked])
      assert.throws(() => (seen as unknown as Record<string, unknown>)[name], { name: 'TypeError', message: said });
  assert.equal(await view, view);
  assert.equal(await table.untracked, table.untracked);
  for (const options of [{}, { getters: false, showHidden: true }]) assert.match(inspect(view, options), /EntryView/);
  assert.equal(JSON.stringify(view), '{}');
  assert.equal(String(view), '[object Object]');
  assert.deepEqual([Object.hasOwn(view, 'key'), 'http_req_rat' in view, { ...view }], [false, false, {}]);
});

test('a counter of 32 bits begins anew after its end', () => {
  const { table } = stage({ store: 'gpc0' });
  table.set('a', { gpc0: 2 ** 32 - 1 });
  tracked(table, 'a').tracked.increment('gpc0', 2);
  assert.equal(table.get('a')?.gpc0, 1);
});

test('an operator sets what is named and nothing else', () => {
  const { clock, table } = stage({ store: 'gpc0,gpc1,gpt(3),http_req_rate(10s),bytes_in_cnt', expire: '1m' });
  assert.deepEqual(table.set('a'), {
    ...{ key: 'a', use: 0, expiresInMs: 60_000, gpc0: 0, gpc1: 0, http_req_rate: 0, bytes_in_cnt: 0, gpt: [0, 0, 0] },
  });
  table.set('a', { server: 's1', gpc0: 3, gpt: [1, 2], http_req_rate: 100, bytes_in_cnt: 2 ** 40 });
  const set = table.set('a', { server: undefined, gpc1: 4, 'gpt[2]': 9 });
  assert.deepEqual(set, table.get('a'));
  assert.deepEqual(set, {
    ...{ key: 'a', server: 's1', use: 0, expiresInMs: 60_000, gpc0: 3, gpc1: 4, gpt: [1, 2, 9] },
    ...{ http_req_rate: 100, bytes_in_cnt: 2 ** 40 },
  });
  clock.advance(10_000);
  assert.equal(table.get('a')?.http_req_rate, 100);
  clock.advance(5_000);
  assert.equal(table.get('a')?.http_req_rate, 50);
  assert.equal(table.set('a', { server: null })?.server, undefined);
});

test('what an operator cannot set is refused whole, and named', () => {
  const { table } = stage({ type: 'ip', store: 'gpc0,gpt(2)' });
  table.set('10.0.0.1', { gpc0: 1 });
  const set = (key: unknown, change: unknown): string[] => faultsOf(() => table.set(key as never, change as never));
  assert.deepEqual(set('anna', {}), ['key: "anna" is not allowed; allowed: an IPv4 address: \'10.0.0.1\'']);
  assert.deepEqual(set('10.0.0.1', { gpc0: 5, gpc1: 1, server: '', gpt: [1, 2, 3] }), [
    'gpc1: is not stored by this table; stored: server, gpc0, gpt',
    'server: "" is not allowed; allowed: a server\'s name, or null for none',
    'gpt: [1,2,3] is not allowed; allowed: an array of at most 2 integers',
  ]);
  for (const value of [-1, 1.5, Number.NaN, 2 ** 32, '5', null, {}])
    assert.match(
      set('10.0.0.1', { gpc0: value })[0] ?? '',
      /^gpc0: .* is not allowed; allowed: an integer from 0 to 42949/,
    );
  for (const change of [null, 7, 'gpc0', [1]])
    assert.match(set('10.0.0.1', change)[0] ?? '', /^data: .* is not an object$/);
  assert.equal(set(Symbol('key'), 7).length, 2);
  assert.deepEqual([table.get('10.0.0.1')?.gpc0, table.size], [1, 1]);
});

test('entries are found by a comparison or a function, and removed so', () => {
  const { table } = stage({ store: 'gpc0,gpt(2)', size: 20 });
  for (let n = 0; n < 10; n++) table.set(`k${n}`, { gpc0: n, 'gpt[1]': n % 2, server: `s${n % 3}` });
  const keys = (entries: Iterable<StickEntry>): string =>
    [...entries]
      .map(({ key }) => key)
      .sort()
      .join();
  for (const [op, found] of [
    ...([
      ['eq', 'k7'],
      ['gt', 'k8,k9'],
      ['ge', 'k7,k8,k9'],
      ['lt', 'k0,k1,k2,k3,k4,k5,k6'],
    ] as const),
    ...([
      ['le', 'k0,k1,k2,k3,k4,k5,k6,k7'],
      ['ne', 'k0,k1,k2,k3,k4,k5,k6,k8,k9'],
    ] as const),
  ])
    assert.equal(keys(table.filter({ data: 'gpc0', op, value: 7 })), found, op);
  assert.equal(keys(table.filter({ data: 'gpt[1]', op: 'eq', value: 1 })), 'k1,k3,k5,k7,k9');
  assert.equal(keys(table.filter(({ server, gpc0 = 0 }) => server === 's1' && gpc0 > 3)), 'k4,k7');
  assert.equal(table.clear({ data: 'gpc0', op: 'ge', value: 5 }), 5);
  assert.equal(
    table.clear(({ key }) => key === 'k0'),
    1,
  );
  assert.equal(keys(table), 'k1,k2,k3,k4');
  assert.equal(table.delete('k1'), true);
  assert.equal(table.delete('k1'), false);
  assert.equal(table.clear(), 3);
  assert.equal(table.size, 0);
});

test('a filter that is none is refused before anything is looked at', () => {
  const { table } = stage({ store: 'gpc0' });
  table.store('a', 's1');
  for (const [filter, fault] of [
    [{ data: 'gpc1', op: 'eq', value: 1 }, /^filter.data: "gpc1" is not stored by this table; stored: gpc0$/],
    [{ data: 'gpc0', op: 'like', value: 1 }, /^filter.op: "like" is not allowed; allowed: eq, ne, le, ge, lt, gt$/],
    [{ data: 'gpc0', op: 'toString', value: 1 }, /^filter.op: /],
    [{ data: 'gpc0', op: 'eq', value: Number.NaN }, /^filter.value: NaN is not allowed; allowed: a number$/],
    [{ data: 'gpc0', op: 'eq' }, /^filter.value: /],
    [{}, /^filter.data: undefined is not stored/],
    [null, /^filter: null is no filter; allowed: a function, or { data, op, value }$/],
    [undefined, /^filter: undefined is no filter/],
    ['gpc0 gt 1', /^filter: "gpc0 gt 1" is no filter/],
  ] as const)
    for (const act of [() => table.filter(filter as never), () => table.clear(filter as never)])
      assert.match(faultsOf(act).join(' | '), fault);
  assert.equal(table.size, 1);
});

test('what a filter throws comes out, removes nothing and leaves a table that works; a promise is no answer', async () => {
  const { table } = stage();
  for (const key of ['a', 'b', 'c']) table.store(key, 's1');
  const broken = ({ key }: StickEntry): boolean => {
    if (key === 'c') throw new RangeError('broken');
    return true;
  };
  assert.throws(() => table.clear(broken), /^RangeError: broken$/);
  assert.throws(() => [...table.filter(broken)], /^RangeError: broken$/);
  assert.equal(table.size, 3);
  const late = async (): Promise<boolean> => {
    throw new Error('nobody hears it');
  };
  assert.throws(
    () => table.clear(late as never),
    /^TypeError: the function returned a promise; it must answer at once$/,
  );
  await new Promise(setImmediate);
  assert.equal(
    table.clear(({ key }) => key !== 'a'),
    2,
  );
  assert.deepEqual(
    [...table].map(({ key }) => key),
    ['a'],
  );
});

test('a filter may change the table, and who iterates may as well', () => {
  const { clock, table } = stage({ size: 100, expire: '1s' });
  const fill = (): void => {
    for (let n = 0; n < 50; n++) table.store(`k${n}`, 's1');
  };
  fill();
  assert.equal(
    table.clear(({ key }) => table.clear() >= 0 && key === 'k0'),
    0,
    'what is gone was not removed by it',
  );
  fill();
  const seen: unknown[] = [];
  for (const { key } of table) {
    seen.push(key);
    table.delete(key);
    if (seen.length < 20) table.store(`new${seen.length}`, 's2');
  }
  assert.equal(new Set(seen).size, seen.length, 'none comes up twice');
  assert.ok(Array.from({ length: 50 }, (_, n) => `k${n}`).every((key) => seen.includes(key)));
  fill();
  const iterator = table.entries();
  assert.equal(iterator.next().done, false);
  clock.advance(1_000);
  assert.equal(iterator.next().done, true, 'the others have expired meanwhile');
});

test('an entry in use that an operator removes forgets what it was, and is still held', () => {
  const { table } = stage({ store: 'conn_cur,http_req_cnt,gpc0' });
  const tracking = tracked(table, 'a');
  table.set('a', { server: 's1', gpc0: 9 });
  tracking.request();
  assert.equal(table.delete('a'), true);
  tracking.request();
  const { server, use, conn_cur, http_req_cnt, gpc0 } = table.get('a') ?? {};
  assert.deepEqual([server, use, conn_cur, http_req_cnt, gpc0], [undefined, 1, 1, 1, 0]);
  tracking.release();
  assert.equal(table.get('a')?.conn_cur, 0);
  assert.equal(table.delete('a'), true);
  assert.equal(table.size, 0);
});

test('one timer serves all entries, holds no process, and ends when the table is empty', () => {
  const { clock, table } = stage({ size: 20_000, expire: '30s' });
  assert.equal(clock.pending, 0);
  for (let n = 0; n < 20_000; n++) table.store(`k${n}`, 's1');
  assert.deepEqual([clock.pending, clock.holding], [1, 0]);
  clock.advance(29_000);
  table.lookup('k7');
  clock.advance(2_000);
  assert.equal(table.size, 1);
  assert.deepEqual([clock.pending, clock.holding], [1, 0]);
  clock.advance(31_000);
  assert.equal(clock.pending, 0);
  table.store('k', 's1');
  assert.equal(clock.pending, 1);
});

test('what has expired goes though nobody asks, in pieces that hold nothing up', () => {
  const { clock, table } = stage({ size: 10_000, expire: '5s' });
  for (let n = 0; n < 10_000; n++) table.store(`k${n}`, 's1');
  clock.advance(5_000);
  assert.equal(clock.pending, 1, 'the first piece has not emptied it');
  clock.advance(50);
  assert.equal(clock.pending, 0);
  const { clock: still, table: lasting } = stage({ size: 10 });
  lasting.store('k', 's1');
  assert.equal(still.pending, 0, 'without expire there is nothing to sweep');
});

test('keys of another type have no entry, and are no error on the path of a request', () => {
  const { table } = stage({ type: 'ip' });
  for (const key of ['anna', '', '2001:db8::1', Number.NaN, undefined, null, {}] as never[]) {
    assert.equal(table.lookup(key), undefined);
    assert.equal(table.store(key, 's1'), false);
    assert.equal(table.track(key), undefined);
    assert.equal(table.get(key), undefined);
    assert.equal(table.delete(key), false);
  }
  assert.deepEqual([table.size, table.refused], [0, 0]);
});

test('names of servers are forgotten with the last entry that has them', () => {
  const names = new ServerNames();
  const ids = Array.from({ length: 1_000 }, (_, n) => names.take(`s${n}`));
  assert.equal(names.take('s7'), ids[7]);
  for (const id of ids) names.give(id);
  assert.equal(names.size, 1);
  assert.equal(names.name(ids[7] as number), 's7');
  names.give(ids[7] as number);
  assert.equal(names.size, 0);
  const again = names.take('other');
  assert.ok(ids.includes(again), 'numbers are used again');
  assert.equal(names.name(again), 'other');
});
