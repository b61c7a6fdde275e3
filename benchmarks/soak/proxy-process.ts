import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { PoolOptions } from '#src/index.ts';
import { start } from '../load/process.ts';
import type { Look, Order, Report } from './proxy.ts';

const PROXY = fileURLToPath(new URL('./proxy.ts', import.meta.url));
const CONDITIONS = process.execArgv.filter((flag) => flag.startsWith('--conditions'));

/** The proxy that is watched. */
export interface ProxyProcess {
  readonly port: number;
  /** Errors and warnings of the process so far. */
  readonly faults: readonly string[];
  look(): Promise<Look>;
  /** Most memory since it was asked last. */
  peak(): Promise<number>;
  /** Closes server and pool, and looks at what is left. */
  close(): Promise<Look>;
  stop(): Promise<void>;
}

export async function startProxy(options: PoolOptions): Promise<ProxyProcess> {
  const started = start([process.execPath, ...CONDITIONS, '--expose-gc', PROXY, JSON.stringify(options)], {
    ipc: true,
  });
  const { child } = started;
  const faults: string[] = [];
  const gone = new AbortController();
  child.once('close', () => gone.abort(new Error(`the proxy has ended: ${started.complaint()}`)));
  child.on('message', (report: Report) => {
    if (report.kind === 'fault') faults.push(report.text);
  });
  const hear = async <K extends Report['kind']>(kind: K): Promise<Extract<Report, { kind: K }>> => {
    for (;;) {
      const [report] = (await once(child, 'message', { signal: gone.signal })) as [Report];
      if (report.kind === kind) return report as Extract<Report, { kind: K }>;
    }
  };
  const tell = (order: Order): void => void child.send(order);
  const { port } = await hear('listening');
  return {
    port,
    faults,
    async look() {
      tell('look');
      return (await hear('look')).look;
    },
    async peak() {
      tell('watch');
      return (await hear('peak')).rssBytes;
    },
    async close() {
      tell('close');
      return (await hear('look')).look;
    },
    stop: started.stop,
  };
}
