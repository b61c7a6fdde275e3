import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { installed, start } from './process.ts';
import type { Scenario } from './scenarios.ts';

/** What the clients saw in one round. */
export interface Seen {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers that were not a 2xx or 3xx, connections that failed, timeouts. */
  readonly errors: number;
}

/** Makes `scenario.clients` keep-alive clients ask one port for so many seconds. */
export type Generator = (scenario: Scenario, port: number, seconds: number) => Promise<Seen>;

export function wrkOrAutocannon(kind: 'wrk' | 'autocannon' | undefined): 'wrk' | 'autocannon' {
  return kind ?? (installed('wrk') === undefined ? 'autocannon' : 'wrk');
}

export function generator(kind: 'wrk' | 'autocannon', core: number | undefined): Generator {
  return kind === 'wrk' ? wrk(core) : autocannon(core);
}

function wrk(core: number | undefined): Generator {
  const script = fileURLToPath(new URL('./wrk.lua', import.meta.url));
  return async ({ clients, path, method, upload }, port, seconds) => {
    const url = `http://127.0.0.1:${port}${path}`;
    const load = [
      'wrk',
      '-t1',
      `-c${clients}`,
      `-d${seconds}s`,
      '-s',
      script,
      url,
      '--',
      method,
      String(upload),
    ] as const;
    return JSON.parse(await output([...load], core, /^\{.*\}$/m)) as Seen;
  };
}

function autocannon(core: number | undefined): Generator {
  const cli = createRequire(import.meta.url).resolve('autocannon');
  return async ({ clients, path, method, upload }, port, seconds) => {
    const body = upload > 0 ? ['-b', 'x'.repeat(upload)] : [];
    const load = [
      process.execPath,
      cli,
      '-j',
      '-n',
      '-c',
      String(clients),
      '-d',
      String(seconds),
      '-m',
      method,
      ...body,
    ] as const;
    const text = await output([...load, `http://127.0.0.1:${port}${path}`], core, /^\{.*\}$/m);
    const result = JSON.parse(text) as AutocannonResult;
    return {
      requests: result['2xx'],
      seconds: result.duration,
      p50Ms: result.latency.p50,
      p99Ms: result.latency.p99,
      errors: result.errors + result.non2xx,
    };
  };
}

interface AutocannonResult {
  readonly '2xx': number;
  readonly duration: number;
  readonly latency: { readonly p50: number; readonly p99: number };
  readonly errors: number;
  readonly non2xx: number;
}

async function output(command: [string, ...string[]], core: number | undefined, wanted: RegExp): Promise<string> {
  const load = start(command, { core, output: true });
  let text = '';
  load.child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(load.child, 'close');
  const found = wanted.exec(text)?.[0];
  if (found === undefined) throw new Error(`${command[0]} gave no result: ${load.complaint() || text}`);
  return found;
}
