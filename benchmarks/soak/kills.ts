import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PoolOptions } from '#src/index.ts';
import { type MortalServer, repeated, traffic, unrest } from '../../test/support/unrest.ts';
import { freePorts, type Started, start } from '../load/process.ts';
import { Findings } from './promises.ts';
import { startProxy } from './proxy-process.ts';

const CLIENTS = 64;
const SERVERS = 4;
const SERVER = fileURLToPath(new URL('./mortal-server.ts', import.meta.url));

/** Retries alone must do while nothing is checked; where servers are checked, a restarted one needs its time to be seen. */
const SCENES: Readonly<Record<'unchecked' | 'checked', Scene>> = {
  unchecked: { everyMs: [20, 400], options: {} },
  checked: { everyMs: [400, 1_200], options: { defaultServer: { check: true, inter: 50, rise: 2, fall: 2 } } },
};

interface Scene {
  readonly everyMs: readonly [least: number, most: number];
  readonly options: PoolOptions;
}

/** Servers are killed and restarted at random under load, one always running: no GET fails, no POST runs twice. */
export async function soakKills(scene: 'unchecked' | 'checked', seconds: number, seed: number): Promise<Findings> {
  const { everyMs, options } = SCENES[scene];
  const found = new Findings(`${SERVERS} servers, ${scene}, killed at random for ${seconds} s (--seed ${seed})`);
  const directory = mkdtempSync(join(tmpdir(), 'evenkeel-soak-'));
  const ports = await freePorts(SERVERS);
  const servers = ports.map((port) => new KilledProcess(port, join(directory, String(port))));
  await Promise.all(servers.map((server) => server.start()));
  const proxy = await startProxy({ ...options, servers: ports.map((port) => `127.0.0.1:${port}`) });
  try {
    const before = await proxy.look();
    let over = false;
    const asked = traffic({ port: proxy.port, clients: CLIENTS, seed, goesOn: () => !over });
    const acts = await unrest(servers, { seed, forMs: seconds * 1000, everyMs });
    over = true;
    const seen = await asked;
    const after = await proxy.look();
    const closed = await proxy.close();
    const ids = servers.flatMap((server) => server.posts());

    found.say('kills', '', acts.kills);
    found.say('fewest servers running', SERVERS, acts.fewest);
    found.say('GETs', '', seen.gets);
    found.say('POSTs', '', seen.posts);
    found.say('POSTs that died with their server', '', seen.postsLost.length);
    found.say('retries', '', after.retries);
    found.none('GETs that failed, answers that were wrong, requests that hung', seen.faults);
    found.none('POSTs that reached two servers', repeated(ids));
    found.none('POSTs answered and not run', unrun(seen.posts - seen.postsLost.length, ids, seen.postsLost));
    found.atMost('requests and slots not over', before.active, after.active, 0);
    found.atMost('sockets once the pool is closed', before.sockets, closed.sockets, before.sockets);
    found.none('errors and warnings', proxy.faults);
  } finally {
    await proxy.stop();
    await Promise.all(servers.map((server) => server.kill()));
    rmSync(directory, { recursive: true, force: true });
  }
  return found;
}

/** Each POST that was answered is in a log; of those that were lost, some are. */
function unrun(answered: number, ids: readonly string[], lost: readonly string[]): string[] {
  const died = new Set(lost);
  const missing = answered - ids.filter((id) => !died.has(id)).length;
  return missing === 0 ? [] : [`${missing} of ${answered}`];
}

class KilledProcess implements MortalServer {
  readonly name: string;
  readonly #port: number;
  readonly #log: string;
  #process: Started | undefined = undefined;

  constructor(port: number, log: string) {
    this.name = String(port);
    this.#port = port;
    this.#log = log;
  }

  get running(): boolean {
    return this.#process !== undefined;
  }

  async start(): Promise<void> {
    const started = start([process.execPath, SERVER, String(this.#port), this.#log], { ipc: true });
    await Promise.race([
      once(started.child, 'message'),
      once(started.child, 'exit').then(() =>
        Promise.reject(new Error(`a server did not start: ${started.complaint()}`)),
      ),
    ]);
    this.#process = started;
  }

  async kill(): Promise<void> {
    const child = this.#process?.child;
    this.#process = undefined;
    if (child === undefined) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** Ids of the POSTs that have reached it. */
  posts(): string[] {
    return readFileSync(this.#log, 'utf8').split('\n').filter(Boolean);
  }
}
