import { readFileSync } from 'node:fs';
import { type Lease, Pool, type PoolOptions, type RequestContext, type ServerOptions } from '#src/index.ts';
import { VirtualClock } from './virtual-clock.ts';

/** A server of a scenario, by HAProxy's keywords. */
export interface RecordedServer {
  readonly name: string;
  readonly id?: number;
  readonly weight?: number;
  readonly backup?: boolean;
  readonly maxconn?: number;
  readonly disabled?: boolean;
}

/** What was done, and for a request which server of HAProxy's got it; `{ status: 503 }`: none. */
export type RecordedStep =
  | {
      readonly op: 'req';
      readonly id: string;
      readonly method?: string;
      readonly path?: string;
      readonly headers?: Readonly<Record<string, string>>;
      /** The client's address. */
      readonly from?: string;
      readonly hold?: boolean;
      readonly expect: string | { status: number };
    }
  | { readonly op: 'release'; readonly id: string }
  | { readonly op: 'cmd'; readonly cmd: string };

export interface RecordedScenario {
  readonly name: string;
  /** The lines of HAProxy's `backend` section. */
  readonly backend: readonly string[];
  readonly servers: readonly RecordedServer[];
  readonly steps: readonly RecordedStep[];
}

/** Scenarios recorded from a real HAProxy, from a file of `test/fixtures` or any other of that form. */
export function recordedScenarios(file: string | URL): RecordedScenario[] {
  return JSON.parse(readFileSync(file, 'utf8')) as RecordedScenario[];
}

/** Our options for the lines of a `backend` section. */
export function optionsOf(lines: readonly string[]): PoolOptions {
  const options: Record<string, unknown> = {};
  for (const line of lines) {
    const [keyword = '', ...words] = line.trim().split(/\s+/);
    if (line === 'option allbackups') options['allbackups'] = true;
    else if (keyword === 'hash-balance-factor') options['hashBalanceFactor'] = Number(words[0]);
    else if (['balance', 'hash-type', 'hash-key', 'hash-preserve-affinity'].includes(keyword))
      options[keyword.replaceAll(/-(\w)/g, (_dash, letter: string) => letter.toUpperCase())] = words.join(' ');
    else throw new Error(`not understood: ${line}`);
  }
  return options;
}

/** A pool that plays a scenario, on the virtual clock and without sockets. */
export class PickPlayer {
  readonly #pool: Pool<unknown>;
  readonly #held = new Map<string, Lease>();

  constructor({ backend, servers }: RecordedScenario) {
    const addressed = servers.map((server, index): ServerOptions => ({ ...server, address: `127.0.0.1:${index + 1}` }));
    this.#pool = new Pool<unknown>({ ...optionsOf(backend), servers: addressed }, new VirtualClock());
  }

  /** Does one step; for a request gives the name of the server that it got, or 503. */
  play(step: RecordedStep): string | number | undefined {
    if (step.op === 'cmd') this.#command(step.cmd);
    else if (step.op === 'release') this.#release(step.id);
    else {
      const { method = 'GET', path = '/', headers = {}, from = '127.0.0.1' } = step;
      const lowerCase = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
      const context: RequestContext = {
        method,
        url: path,
        headers: { host: 'x', ...Object.fromEntries(lowerCase) },
        remoteAddress: from,
      };
      const lease = this.#pool.tryAcquire(context);
      if (lease && step.hold) this.#held.set(step.id, lease);
      else lease?.release();
      return lease?.server.name ?? 503;
    }
    return undefined;
  }

  #release(id: string): void {
    this.#held.get(id)?.release(); // without one it was answered 503
    this.#held.delete(id);
  }

  /** One of HAProxy's runtime commands: `disable server`, `enable server`, `set server … state`, `set server … weight`. */
  #command(text: string): void {
    const [, verb, name = '', what, value = ''] = /^(\w+) server be\/(\S+)(?: (\w+) (\S+))?$/.exec(text) ?? [];
    const server = this.#pool.server(name);
    if (verb === 'disable') server.setState('maint');
    else if (verb === 'enable') server.setState('ready');
    else if (what === 'state' && (value === 'ready' || value === 'drain' || value === 'maint')) server.setState(value);
    else if (what === 'weight') server.setWeight(value.endsWith('%') ? (value as `${number}%`) : Number(value));
    else throw new Error(`not understood: ${text}`);
  }
}
