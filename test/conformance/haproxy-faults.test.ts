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
import { NOT_WITH_HTTP_PROXY_3, NOT_YET } from './haproxy-faults.not-yet.ts';

/** What one client of a real HAProxy saw of one misbehaving server. */
interface Recorded {
  readonly setup: string;
  readonly fault: string;
  readonly status: number;
  readonly interim: readonly number[];
  readonly ended: 'complete' | 'closed' | 'reset' | 'hang';
  readonly complete: boolean;
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

/** HAProxy repairs these or passes them on as they are; whoever refuses or cuts them is stricter. */
const MALFORMED: ReadonlySet<string> = new Set([
  ...['bad-version', 'status-099', 'header-obs-fold', 'bare-lf', 'cl-and-te', 'te-on-http10'],
]);

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
    timeout: { connect: 1_000, server: 1_000, client: 5_000 },
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

/** As HAProxy, or stricter: `undefined`, or what is wrong. */
function judge(recorded: Recorded, { answer, requests }: Seen, post: boolean): string | undefined {
  const { status, complete } = answer;
  const interim = answer.interim.map((seen) => seen.status);
  const seen = `${status} ${answer.ended} ${interim.join(',')}`;
  if (answer.ended === 'hang' || answer.ended === 'junk') return `${seen}: a client must not see that`;
  const repeats = recorded.setup.startsWith('retry-all');
  if (post && !repeats && requests > 1 + Number(recorded.setup.startsWith('second')))
    return `${seen}: ${requests} POSTs reached a server`;
  if (complete && status === 200 && answer.body === GOOD) return undefined;
  if (MALFORMED.has(recorded.fault) && (!complete || status === 502)) return undefined;
  // Where a reused connection dies HAProxy closes without a word; we replay or answer.
  if (recorded.setup.startsWith('second') && recorded.status === 0 && (status === 200 || status === 502))
    return undefined;
  if (status !== recorded.status || complete !== recorded.complete)
    return `${seen}: HAProxy gave ${recorded.status} ${recorded.ended}`;
  // An unasked 100 is not for the client.
  const expected = recorded.interim.filter((code) => code !== 100);
  return interim.join() === expected.join() ? undefined : `${seen}: HAProxy relayed ${expected.join()}`;
}

for (const engine of ['http1', 'http-proxy-3'] as const) {
  describe(`${engine}: misbehaving servers, as a client of HAProxy saw them or stricter`, { concurrency: 16 }, () => {
    for (const recorded of RECORDED) {
      const [setup = '', method] = recorded.setup.split('/');
      const name = `${recorded.setup}: ${recorded.fault}`;
      const reason = NOT_YET[name] ?? (engine === 'http-proxy-3' ? NOT_WITH_HTTP_PROXY_3[name] : undefined);
      test(name, reason === undefined ? {} : { skip: reason }, async () => {
        const fault = FAULTS[recorded.fault];
        assert.ok(fault, `there is no server ${recorded.fault}`);
        const seen = await play(fault, setup, method === 'POST', engine);
        assert.equal(judge(recorded, seen, method === 'POST'), undefined);
      });
    }
  });
}

test('every case that is not met is one of them', () => {
  const names = new Set(RECORDED.map(({ setup, fault }) => `${setup}: ${fault}`));
  assert.deepEqual(
    Object.keys({ ...NOT_YET, ...NOT_WITH_HTTP_PROXY_3 }).filter((name) => !names.has(name)),
    [],
  );
});
