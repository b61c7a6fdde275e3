import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Pool, type PoolOptions, type ServerCheckEvent } from '#src/index.ts';
import { type MortalServer, repeated, traffic, unrest } from '../support/unrest.ts';

/** A server of this process; killing it destroys its connections, whatever is under way on them. */
class FallibleServer implements MortalServer {
  readonly name: string;
  /** Ids of the POSTs that have reached it. */
  readonly posts: string[] = [];
  /** A server that runs is of no use before its pool has seen it. */
  seen: () => Promise<void> = async () => {};
  #port = 0;
  #server: Server | undefined = undefined;

  constructor(name: string) {
    this.name = name;
  }

  get running(): boolean {
    return this.#server !== undefined;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    const server = createServer({ noDelay: true }, (request, response) => {
      const id = request.url?.split('/').at(-1) ?? '';
      if (request.method === 'POST') this.posts.push(id);
      const answer = (): unknown => response.writeHead(200, { 'content-length': id.length }).end(id);
      request.resume();
      request.on('end', () => (Number(id.split('-')[1]) % 4 === 0 ? setTimeout(answer, 3) : answer()));
    });
    await once(server.listen(this.#port, '127.0.0.1'), 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
    await this.seen();
  }

  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = once(server.close(), 'close');
    server.closeAllConnections();
    await closed;
  }
}

function passedCheck(pool: Pool, name: string): Promise<void> {
  return new Promise((resolve) => {
    const look = ({ server, result }: ServerCheckEvent): void => {
      if (server !== name || result !== 'passed' || !pool.server(name).usable) return;
      pool.off('server:check', look);
      resolve();
    };
    pool.on('server:check', look);
  });
}

async function story(
  t: TestContext,
  options: PoolOptions,
  everyMs: readonly [number, number],
  seed: number,
): Promise<void> {
  const servers = ['a', 'b', 'c', 'd'].map((name) => new FallibleServer(name));
  for (const server of servers) await server.start();
  const pool = new Pool({ ...options, servers: servers.map(({ name, address }) => ({ name, address })) });
  if (options.defaultServer?.check) for (const server of servers) server.seen = () => passedCheck(pool, server.name);
  const front = createServer(pool.middleware());
  await once(front.listen(0, '127.0.0.1'), 'listening');
  // Or a failure would leave the file running.
  t.after(async () => {
    front.close();
    front.closeAllConnections();
    await pool.close({ graceMs: 0 });
    for (const server of servers) await server.kill();
  });

  let over = false;
  const { port } = front.address() as AddressInfo;
  const asked = traffic({ port, clients: 16, seed, goesOn: () => !over });
  const acts = await unrest(servers, { seed, forMs: 2_000, everyMs });
  over = true;
  const seen = await asked;

  assert.ok(acts.kills >= 3 && seen.gets > 50, `${acts.kills} kills, ${seen.gets} GETs prove nothing`);
  assert.deepEqual(seen.faults, [], `with seed ${seed}`);
  const ran = servers.flatMap(({ posts }) => posts);
  assert.deepEqual(repeated(ran), [], `POSTs that reached two servers, with seed ${seed}`);
  const died = new Set(seen.postsLost);
  assert.equal(ran.filter((id) => !died.has(id)).length, seen.posts - died.size, 'each POST answered has run');
  const stats = pool.stats();
  assert.equal(stats.active, 0);
  assert.deepEqual(
    Object.values(stats.servers).map(({ active }) => active),
    [0, 0, 0, 0],
  );
  if (options.hedge) {
    const hedges = Object.values(stats.servers).reduce((sum, server) => sum + server.hedges, 0);
    assert.ok(hedges > 0, 'nothing was hedged: it proves nothing');
  }

  front.close();
  front.closeAllConnections();
  assert.deepEqual(await pool.close(), { cut: 0, leaked: 0 });
}

test('servers die and come back under load: no GET fails, no POST runs twice, with nothing but retries', (t) =>
  story(t, {}, [10, 120], 1));

test('the same with checks that take the dead out', (t) =>
  story(t, { defaultServer: { check: true, inter: 100, rise: 2, fall: 2 } }, [150, 350], 2));

for (const engine of ['http1', 'http-proxy-3'] as const) {
  test(`the same with hedges for all that takes a moment: ${engine}`, (t) =>
    story(t, { engine, hedge: { after: 1, max: 2, budget: 1 } }, [10, 120], 3));
}
