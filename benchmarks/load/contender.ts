import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Order, Report } from '../proxies/child.ts';
import type { ContenderPlan } from './contenders.ts';
import { freePorts, start, type Usage, usageOf } from './process.ts';
import { startProgram } from './program.ts';

/** A contender that runs. */
export interface Contender {
  readonly plan: ContenderPlan;
  readonly port: number;
  usage(): Promise<Usage>;
  stop(): Promise<void>;
}

export interface Place {
  readonly servers: readonly number[];
  /** A folder for configuration and temporary files. */
  readonly directory: string;
  readonly core: number | undefined;
}

/** Starts a contender and waits until it listens; throws with its reason if it cannot. */
export async function startContender(plan: ContenderPlan, place: Place): Promise<Contender> {
  const [port = 0] = await freePorts(1);
  if (plan.program === undefined) return startChild(plan, port, place);
  const directory = join(place.directory, plan.name);
  const { child, stop } = await startProgram(plan.program, { port, servers: place.servers, directory }, place.core);
  return { plan, port, stop, usage: async () => usageOf(child.pid ?? 0) };
}

async function startChild(plan: ContenderPlan, port: number, { servers, core }: Place): Promise<Contender> {
  const file = fileURLToPath(new URL(`../proxies/${plan.name}.ts`, import.meta.url));
  const urls = servers.map((server) => `http://127.0.0.1:${server}`);
  // The condition makes `#src/…` the built files: stripping of types plays no part in what is measured.
  const started = start([process.execPath, '--conditions=built', file, String(port), ...urls], { core, ipc: true });
  const { child } = started;
  const gone = new AbortController();
  child.once('close', () => gone.abort());
  const hear = async (): Promise<Report> => {
    try {
      const [message] = (await once(child, 'message', { signal: gone.signal })) as [Report];
      return message;
    } catch {
      throw new Error(reasonIn(started.complaint()));
    }
  };
  await hear();
  return {
    plan,
    port,
    async usage() {
      child.send('usage' satisfies Order);
      const report = await hear();
      if (report.kind !== 'usage') throw new Error(`${plan.name}: unexpected report`);
      return report;
    },
    stop: started.stop,
  };
}

/** The line of a crash that says why. */
function reasonIn(complaint: string): string {
  const line = complaint.split('\n').find((text) => /^\w*Error/.test(text.trim())) ?? complaint.split('\n')[0] ?? '';
  return line.replaceAll(process.cwd(), '.').trim() || 'its process ended';
}
