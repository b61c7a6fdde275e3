import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool, type PoolOptions } from '#src/index.ts';
import type { Answer } from '../support/client-exchange.ts';
import { FAULTS, type Fault } from '../support/fault-servers.ts';
import { type EngineName, portOf } from '../support/fronts.ts';
import { answersOk, Origin, REFUSING } from '../support/origin.ts';
import { RawClient } from '../support/raw-client.ts';

/** What one client of a real HAProxy saw of one misbehaving server. */
interface Recorded {
  readonly setup: string;
  readonly fault: string;
  readonly status: number;
  readonly interim: readonly number[];
  readonly complete: boolean;
  readonly requestsToGood: number;
}

const RECORDED = JSON.parse(
  readFileSync(new URL('../fixtures/haproxy-faults.json', import.meta.url), 'utf8'),
) as Recorded[];

/** The recorder's set-ups as pool options. */
const SETUPS: Readonly<Record<string, PoolOptions>> = {
  default: { retries: 3, redispatch: false, retryOn: ['conn-failure'] },
  redispatch: { retries: 3, redispatch: 1, retryOn: ['conn-failure'] },
  'retry-all': {
    retries: 3,
    redispatch: 1,
    retryOn: ['all-retryable-errors'],
    retryNonIdempotent: true,
  },
  'second-on-keepalive': { retries: 3, redispatch: false, retryOn: ['conn-failure'], httpReuse: 'always' },
};

/** Stands in for HAProxy's `good` server. */
const GOOD = 'good';

interface Seen {
  readonly answer: Answer;
  /** How often a request reached a server. */
  readonly requests: number;
}

async function play(fault: Fault, setup: string, post: boolean, engine: EngineName): Promise<Seen> {
  const bad = await Origin.start((request) => request.ended.then(() => fault.asked?.(request.socket, request)), {
    onConnection: (connection) => fault.accepted?.(connection.socket, connection),
  });
  const good = await Origin.start(answersOk(GOOD));
  const servers = [
    fault.refuses ? REFUSING : bad.url,
    ...(setup === 'redispatch' || setup === 'retry-all' ? [good.url] : []),
  ];
  const pool = new Pool({
    engine,
    ...SETUPS[setup],
    servers,
    timeout: { connect: fault.refuses ? 100 : 1_000, server: 1_000, client: 5_000 },
  });
  const server = http.createServer(pool.middleware()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = await RawClient.open(portOf(server));
  const spec = post ? { method: 'POST', body: 'abc' } : {};
  try {
    if (setup === 'second-on-keepalive') {
      await client.send(spec);
      await delay(40); // the servers close, or do not, in the meantime
    }
    const answer = await client.send(spec);
    return { answer, requests: bad.requests.length + good.requests.length };
  } finally {
    client.leave();
    const { cut } = await pool.close({ graceMs: 1_000 });
    assert.equal(cut, 0, 'a request was left hanging in the pool');
    server.close();
    await Promise.all([bad.stop(), good.stop()]);
  }
}

/** What a client sees, in the words of the table. */
function outcome(status: number, interim: readonly number[], complete: boolean, byGood: boolean): string {
  const end = status === 0 ? 'nothing' : `${status}${complete ? '' : ' cut'}${byGood ? ' of the good server' : ''}`;
  return [...new Set(interim), end].join(', then ');
}

/** A row of the table in docs/haproxy-differences.md. `undefined` is `*`. */
interface Difference {
  readonly setups: readonly string[] | undefined;
  readonly faults: readonly string[] | undefined;
  readonly engines: readonly string[] | undefined;
  readonly haproxy: string;
  readonly evenkeel: string;
}

function readDifferences(): Difference[] {
  const page = readFileSync(new URL('../../docs/haproxy-differences.md', import.meta.url), 'utf8');
  const [, section = ''] = page.split('## Misbehaving servers\n');
  const names = (cell: string): string[] | undefined =>
    cell === '*' ? undefined : [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
  return (section.split('\n## ')[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| set-up'))
    .map((line) => {
      const cells = line.split('|').map((cell) => cell.trim());
      const [, setups = '', faults = '', engines = '', haproxy = '', evenkeel = '', why = ''] = cells;
      assert.equal(cells.length, 8, line);
      assert.notEqual(why, '', line);
      return { setups: names(setups), faults: names(faults), engines: names(engines), haproxy, evenkeel };
    });
}

const DIFFERENCES = readDifferences();
/** Which of them a case has needed: row, set-up and fault. */
const used = new Set<string>();

const ENGINES: readonly EngineName[] = ['http1', 'http-proxy-3'];

for (const engine of ENGINES) {
  describe(`${engine}: misbehaving servers, as a client of HAProxy saw them`, { concurrency: 16 }, () => {
    for (const { setup, fault, ...recorded } of RECORDED) {
      const [options = '', method] = setup.split('/');
      test(`${setup}: ${fault}`, async () => {
        const server = FAULTS[fault];
        assert.ok(server, `there is no server ${fault}`);
        const row = DIFFERENCES.findIndex(
          ({ setups, faults, engines }) =>
            (setups?.includes(setup) ?? true) &&
            (faults?.includes(fault) ?? true) &&
            (engines?.includes(engine) ?? true),
        );
        for (const name of [setup, fault, engine]) used.add(`${row} ${name}`);
        const seenByHaproxy = outcome(
          recorded.status,
          recorded.interim,
          recorded.complete,
          recorded.requestsToGood > 0,
        );
        const { haproxy = seenByHaproxy, evenkeel = seenByHaproxy } = DIFFERENCES[row] ?? {};
        assert.equal(seenByHaproxy, haproxy, 'the row says what HAProxy did');

        const { answer, requests } = await play(server, options, method === 'POST', engine);
        const { status, complete, body, ended } = answer;
        assert.ok(ended !== 'hang' && ended !== 'junk', ended);
        const interim = answer.interim.map((seen) => seen.status);
        assert.equal(outcome(status, interim, complete, body === GOOD), evenkeel);
        const wanted = options === 'second-on-keepalive' ? 2 : 1;
        if (method === 'POST' && options !== 'retry-all') assert.ok(requests <= wanted, 'POSTs that reached a server');
      });
    }
  });
}

test('every row of the table is needed, and all that it names', () => {
  const idle = DIFFERENCES.flatMap(({ setups, faults, engines, haproxy, evenkeel }, row) =>
    [...(setups ?? []), ...(faults ?? []), ...(engines ?? [])]
      .filter((name) => !used.has(`${row} ${name}`))
      .concat(haproxy === evenkeel ? 'nothing differs' : [])
      .map((name) => `row ${row + 1}: ${name}`),
  );
  assert.deepEqual(idle, []);
  assert.ok(DIFFERENCES.length > 5, 'the table was found');
});
