import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import { type Lease, Pool } from '#src/index.ts';

const SLOTS = 2;

/** A server of a protocol that is not HTTP: a line with a job comes in, and the same line goes back when it is done. */
class LineServer {
  readonly name: string;
  /** Most jobs that it had at one time. */
  most = 0;
  done = 0;
  #active = 0;
  #port = 0;
  #server: net.Server | undefined;
  readonly #sockets = new Set<net.Socket>();

  constructor(name: string) {
    this.name = name;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket));
    await once(server.listen(this.#port, '127.0.0.1'), 'listening');
    this.#port = (server.address() as net.AddressInfo).port;
    this.#server = server;
  }

  kill(): void {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    socket.once('data', async (job) => {
      this.most = Math.max(this.most, ++this.#active);
      await delay(3);
      this.#active--;
      this.done++;
      socket.end(job);
    });
  }
}

/** Does a job on the server of a lease. */
async function work({ server }: Lease, job: string): Promise<string> {
  const socket = net.connect(server.port, server.host);
  socket.setEncoding('utf8').end(`${job}\n`);
  let line = '';
  for await (const text of socket) line += text;
  if (line !== `${job}\n`) throw new Error(`the connection ended before ${job} was done`);
  return job;
}

const servers = ['a', 'b', 'c'].map((name) => new LineServer(name));
let pool: Pool;

before(async () => {
  for (const server of servers) await server.start();
  pool = new Pool({
    balance: 'leastconn',
    servers: servers.map(({ name, address }) => ({ name, address })),
    defaultServer: { maxconn: SLOTS, check: true, inter: 200, fastinter: 50, fall: 2, rise: 1 },
  });
  await pool.ready();
});

after(async () => {
  for (const server of servers) server.kill();
  await pool.close({ graceMs: 0 });
});

/** Does jobs with so many workers at a time; what each has thrown. */
async function doJobs(count: number, workers: number): Promise<string[]> {
  const failed: string[] = [];
  const jobs = Array.from({ length: count }, (_, n) => `job ${n}`);
  const worker = async (): Promise<void> => {
    for (let job = jobs.pop(); job !== undefined; job = jobs.pop()) {
      const wanted = job;
      const result = await pool
        .run({}, (lease) => work(lease, wanted), { retry: true })
        .catch((error: Error) => error.message);
      if (result !== job) failed.push(`${job}: ${result}`);
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
  return failed;
}

test('jobs of any protocol are spread, and no server has more than its slots', async () => {
  assert.deepEqual(await doJobs(60, SLOTS * servers.length), []);
  for (const { name, most, done } of servers) {
    assert.ok(most <= SLOTS, `${name} had ${most} at one time`);
    assert.ok(done >= 10, `${name} did ${done} of 60`);
  }
  assert.deepEqual(
    pool.servers.map(({ active }) => active),
    [0, 0, 0],
  );
});

test('a server dies in the middle: its jobs are done elsewhere, and it is left out until it is back', async () => {
  const [a] = servers;
  const down = new Promise((resolve) => pool.once('server:down', resolve));
  const up = new Promise((resolve) => pool.once('server:up', resolve));
  const jobs = doJobs(100, 4); // as many as the other two have slots
  await delay(10);
  a?.kill();
  assert.deepEqual(await jobs, []);
  await down;
  assert.deepEqual(pool.explain().candidates, ['b', 'c']);
  assert.deepEqual(await doJobs(10, 4), []);
  await a?.start();
  await up;
  assert.deepEqual(pool.explain().candidates, ['a', 'b', 'c']);
});

test('leases that are forgotten block their slots only until the collector finds them', async () => {
  const leaked: string[] = [];
  pool.on('lease:leaked', ({ server }) => leaked.push(server));
  await (async () => {
    for (let i = 0; i < SLOTS * servers.length; i++) await pool.acquire();
  })();
  assert.equal(pool.tryAcquire(), undefined);
  for (let i = 0; i < 50 && leaked.length < SLOTS * servers.length; i++) {
    globalThis.gc?.();
    await setImmediate();
  }
  assert.deepEqual(leaked.sort(), ['a', 'a', 'b', 'b', 'c', 'c']);
  assert.deepEqual(await doJobs(12, 6), []);
});

test('a server that is taken out, and the pool that is closed, wait for who holds a lease', async () => {
  const [first, second] = [await pool.acquire(), await pool.acquire()];
  const order: string[] = [];
  const removed = pool.removeServer(first.server.name).then((result) => order.push('removed') && result);
  const closed = pool.close().then((result) => order.push('closed') && result);
  await work(first, 'the last job');
  order.push('done');
  first.release({ ok: true });
  assert.deepEqual(await removed, { cut: 0, leaked: 0 });
  second.release();
  assert.deepEqual(await closed, { cut: 0, leaked: 0 });
  assert.deepEqual(order, ['done', 'removed', 'closed']);
});
