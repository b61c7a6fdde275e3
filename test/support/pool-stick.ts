import { once } from 'node:events';
import { symlinkSync, unlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, isIPv4, type NetConnectOpts } from 'node:net';
import { join } from 'node:path';
import { systemEnvironment } from '#src/core/environment.ts';
import { type DatumName, Pool, StickTable, type StickTableOptions } from '#src/index.ts';
import { poolOptions } from './pool-stick-options.ts';
import type { StickOrigin } from './stick-origin.ts';
import {
  type RecordedEntry,
  type RecordedStep,
  type RecordedStick,
  type RecordedTable,
  type ServerState,
  type StickOutcome,
  type StickServer,
  serverNames,
} from './stick-record.ts';
import { type StickProxy, StickRun } from './stick-run.ts';

/** Plays a recorded scenario over sockets: raw requests, pools behind node:http, and tables on the clock of the recording. */
export class PoolStickPlayer {
  readonly #proxy: PoolStick;
  readonly #run: StickRun;

  private constructor(scenario: RecordedStick, origin: StickOrigin, folder: string, id: string) {
    this.#proxy = new PoolStick(scenario, folder, id);
    this.#run = new StickRun(scenario, this.#proxy, origin, id);
  }

  /** @param folder where the origin listens at the socket `origin` @param id no other run at this origin has it */
  static async start(
    scenario: RecordedStick,
    origin: StickOrigin,
    folder: string,
    id: string,
  ): Promise<PoolStickPlayer> {
    const player = new PoolStickPlayer(scenario, origin, folder, id);
    await player.#proxy.start();
    return player;
  }

  async play(step: RecordedStep): Promise<StickOutcome> {
    this.#proxy.now = step.expect.at;
    return { at: step.expect.at, ...(await this.#run.play(step)) };
  }

  /** What rules have thrown. */
  get faults(): readonly unknown[] {
    return this.#proxy.faults;
  }

  stop(): Promise<void> {
    return this.#proxy.stop();
  }
}

/** Two pools that share tables, and the doors to them. */
class PoolStick implements StickProxy {
  now = 0;
  readonly faults: unknown[] = [];
  readonly #folder: string;
  readonly #id: string;
  readonly #scenario: RecordedStick;
  readonly #tables = new Map<string, StickTable>();
  readonly #pools: readonly Pool[];
  readonly #fronts: readonly Server[];
  readonly #endings = new Map<string, (server: string | undefined) => void>();

  constructor(scenario: RecordedStick, folder: string, id: string) {
    this.#folder = folder;
    this.#id = id;
    this.#scenario = scenario;
    const environment = { ...systemEnvironment, now: () => this.now, setTimer: () => ({ cancel: () => {} }) };
    for (const [name, words] of Object.entries(scenario.tables))
      this.#tables.set(name, new StickTable(tableOptions(words), environment));
    this.#pools = [scenario.servers, scenario.others ?? []].map((servers) => {
      const pool = new Pool(poolOptions(scenario, servers, this.#tables, ({ name }) => this.#socketOf(name)));
      pool.on('request', ({ url = '', server }) => this.#endings.get(/[?&]id=(\w+)/.exec(url)?.[1] ?? '')?.(server));
      pool.on('sample:error', ({ error }) => this.faults.push(error));
      return pool;
    });
    this.#fronts = this.#pools.map((pool) => createServer(pool.middleware()));
  }

  async start(): Promise<void> {
    for (const name of serverNames(this.#scenario)) symlinkSync(join(this.#folder, 'origin'), this.#socketOf(name));
    for (const front of this.#fronts) {
      front.listen(0, '127.0.0.1');
      await once(front, 'listening');
    }
  }

  async stop(): Promise<void> {
    for (const front of this.#fronts) front.close();
    await Promise.all(this.#pools.map((pool) => pool.close({ graceMs: 0 })));
  }

  door(backend: 0 | 1): NetConnectOpts {
    const { port } = (this.#fronts[backend] as Server).address() as AddressInfo;
    return { port, host: '127.0.0.1' };
  }

  ended(id: string): Promise<string | undefined> {
    return new Promise((resolve) => this.#endings.set(id, resolve));
  }

  async setServer({ name }: StickServer, { is, weight }: { is?: ServerState; weight?: number }): Promise<void> {
    const pool = this.#pools[this.#scenario.servers.some((known) => known.name === name) ? 0 : 1] as Pool;
    const server = pool.server(name);
    if (weight !== undefined) server.setWeight(weight);
    if (is === 'up' || is === 'down') server.setHealth(is);
    else if (is === 'refusing') unlinkSync(this.#socketOf(name));
    else if (is === 'listening') symlinkSync(join(this.#folder, 'origin'), this.#socketOf(name));
    else if (is !== undefined) server.setState(is);
  }

  async operate(step: Parameters<StickProxy['operate']>[0]): Promise<void> {
    const table = this.#table(step.table);
    if ('set' in step) {
      const server = step.sticksTo === undefined ? {} : { server: step.sticksTo };
      table.set(step.set, { ...step.data, ...server });
    } else if ('clear' in step) table.delete(step.clear);
    else if (step.clearAll === null) table.clear();
    else {
      const [data, op, value] = step.clearAll;
      table.clear({ data: data as DatumName, op, value });
    }
  }

  async show({ show: [data, op, value], table }: Parameters<StickProxy['show']>[0]): Promise<readonly string[]> {
    const found = this.#table(table).filter({ data: data as DatumName, op, value });
    return [...found].map(({ key }) => textOf(key));
  }

  async tables(): Promise<Readonly<Record<string, RecordedTable>>> {
    return Object.fromEntries([...this.#tables].map(([name, table]) => [name, recorded(table)]));
  }

  #table(name = ''): StickTable {
    const table = this.#tables.get(name);
    if (!table) throw new Error(`there is no table ${name}`);
    return table;
  }

  #socketOf(server: string): string {
    return join(this.#folder, `${this.#id}${server}`);
  }
}

/** From HAProxy's words behind `stick-table`. */
function tableOptions(words: string): StickTableOptions {
  const [, type = '', size = '', rest = ''] = /^type (\w+(?: len \d+)?) size (\w+)(.*)$/.exec(words) ?? [];
  const [, expire] = / expire (\w+)/.exec(rest) ?? [];
  const [, store] = / store (\S+)/.exec(rest) ?? [];
  return {
    type: type as StickTableOptions['type'],
    size: size as StickTableOptions['size'] & string,
    ...(expire !== undefined && { expire: expire as `${number}s` }),
    ...(store !== undefined && { store }),
    nopurge: / nopurge/.test(rest),
  };
}

/** Its entries as HAProxy shows them: elements of arrays by names without brackets. */
function recorded(table: StickTable): RecordedTable {
  const entries = [...table].map(({ key, use, expiresInMs: _, server, ...data }) => {
    const numbers = Object.entries(data).flatMap(([name, value]) =>
      typeof value === 'number'
        ? [[name, value] as const]
        : value.map((number, index) => [name.replace(/^(gp[ct])/, `$1${index}`), number] as const),
    );
    const entry: RecordedEntry = {
      ...(server !== undefined && { server }),
      ...(use > 0 && { use }),
      ...Object.fromEntries(numbers),
    };
    return [shownKey(table, key), entry] as const;
  });
  return Object.fromEntries(entries.sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** As HAProxy shows it: of IPv6 addresses those that hold one of IPv4, too. */
function shownKey({ type }: StickTable, key: string | number | Uint8Array): string {
  const text = textOf(key);
  if (type !== 'ipv6') return text;
  return isIPv4(text) ? `::ffff:${text}` : text === '::a00:1' ? '::10.0.0.1' : text;
}

function textOf(key: string | number | Uint8Array): string {
  return typeof key === 'object' ? Buffer.from(key).toString('latin1') : String(key);
}
