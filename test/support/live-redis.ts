import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createClient, type RedisClientType } from 'redis';
import { RedisTable, type RedisTableOptions } from '#src/redis/redis-table.ts';
import { findInstalled, LiveServer } from './live-server.ts';
import { until } from './until.ts';

/** A client as `redis` makes it; it connects again soon. */
export type Client = RedisClientType;

const clientOf = (url: string): RedisClientType => createClient({ url, socket: { reconnectStrategy: 20 } }) as never;

/** A real Redis that tests may stop, start again, pause and fill. */
export class LiveRedis {
  readonly #server = new LiveServer();
  readonly program: string;
  readonly #clients: Client[] = [];
  readonly #tables: RedisTable[] = [];

  constructor(program: string) {
    this.program = program;
  }

  /** Where tests may put sockets; it goes with the server. */
  get folder(): string {
    return this.#server.folder;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#server.port}`;
  }

  get port(): number {
    return this.#server.port;
  }

  /** @param settings more of its command line */
  async start(...settings: string[]): Promise<void> {
    const port = this.#server.port || undefined;
    const given = (at: string): string[] => [
      ...['--port', at, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', this.#server.folder],
      ...settings,
    ];
    await this.#server.start(this.program, given, port);
  }

  /** Ends it; what it held is lost. */
  end(): Promise<void> {
    return this.#server.end();
  }

  async client(url: string = this.url): Promise<Client> {
    const client = clientOf(url);
    client.on('error', () => {});
    await client.connect();
    this.#clients.push(client);
    return client;
  }

  /** A table in a process of its own, as far as Redis can tell; it hears of changes. */
  async table(options: Partial<RedisTableOptions> = {}, url: string = this.url): Promise<RedisTable> {
    const client = await this.client(url);
    const table = new RedisTable({ client, name: 't', type: 'string', size: '10k', expire: '10m', ...options });
    this.#tables.push(table);
    await until(() => table.subscribed, 'the subscription');
    return table;
  }

  async stop(): Promise<void> {
    for (const table of this.#tables) table.close();
    for (const client of this.#clients) client.destroy();
    await this.#server.stop();
  }
}

/** The one that `EVENKEEL_REDIS_SERVER` names, else one that is installed. */
function redisProgram(): string | undefined {
  const named = process.env['EVENKEEL_REDIS_SERVER'];
  if (named === undefined) return findInstalled('redis-server') ?? findInstalled('valkey-server');
  const found = findInstalled(named);
  assert.ok(found, `EVENKEEL_REDIS_SERVER: there is no ${named}`);
  return found;
}

/** A real Redis or Valkey for one test; `undefined` where none is installed: the test is left out, which fails in CI. */
export async function startRedis(t: TestContext): Promise<LiveRedis | undefined> {
  const program = redisProgram();
  if (program === undefined) {
    const missing = 'not installed: redis-server';
    assert.equal(process.env['CI'], undefined, `${missing}; .ci/run must do it, by apt-get install`);
    t.skip(missing);
    return undefined;
  }
  const redis = new LiveRedis(program);
  t.after(() => redis.stop());
  await redis.start();
  return redis;
}

/** A test with a real Redis or Valkey. */
export function withRedis(name: string, body: (redis: LiveRedis, t: TestContext) => Promise<void>): void {
  test(name, async (t) => {
    const redis = await startRedis(t);
    if (redis) await body(redis, t);
  });
}
