/**
 * The whole path of a request: evenkeel against other proxies, measured in turns in one run.
 * How, and what came out: docs/benchmarks.md. Run it with `npm run bench`; `-- --help` lists the flags.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Contender, startContender } from './load/contender.ts';
import { CONTENDERS } from './load/contenders.ts';
import { type Flags, readFlags, USAGE } from './load/flags.ts';
import { generator, wrkOrAutocannon } from './load/generator.ts';
import { type Origin, startOrigin } from './load/origin.ts';
import { cores } from './load/process.ts';
import { inserted, type Results, report } from './load/report.ts';
import { measure, type Row } from './load/rounds.ts';
import { SCENARIOS } from './load/scenarios.ts';
import { verify } from './load/verify.ts';

const PAGE = new URL('../docs/benchmarks.md', import.meta.url);

async function main(flags: Flags): Promise<void> {
  const [proxyCore, originCore, loadCore = originCore] = cores();
  const pinned =
    proxyCore === undefined || originCore === undefined || loadCore === undefined
      ? undefined
      : { proxy: proxyCore, origin: originCore, load: loadCore };
  const directory = mkdtempSync(join(tmpdir(), 'evenkeel-bench-'));
  chmodSync(directory, 0o755); // nginx, started by root, reads it as another user
  const loadBefore = loadavg()[0] ?? 0;
  const scenarios = SCENARIOS.filter(({ name }) => flags.scenarios.includes(name));
  const kind = wrkOrAutocannon(flags.load);
  const load = generator(kind, pinned?.load);
  const skipped = new Map<string, string>();
  const rows: Row[] = [];
  const contenders: Contender[] = [];
  let origin: Origin | undefined;
  try {
    origin = await startOrigin(flags.origin, directory, pinned?.origin);
    for (const plan of CONTENDERS.filter(({ name }) => flags.contenders.includes(name))) {
      progress(`starting ${plan.name}`);
      try {
        const contender = await startContender(plan, { servers: origin.ports, directory, core: pinned?.proxy });
        contenders.push(contender);
        await verify(contender, scenarios, origin.ports);
      } catch (error) {
        skipped.set(plan.name, error instanceof Error ? error.message : String(error));
      }
    }
    const fit = contenders.filter(({ plan }) => !skipped.has(plan.name));
    for (const scenario of scenarios) {
      const seconds = flags.seconds ?? scenario.seconds;
      rows.push(...(await measure(scenario, fit, load, { rounds: flags.rounds, seconds, progress })));
    }
  } finally {
    progress('');
    await Promise.all([...contenders.map((contender) => contender.stop()), origin?.stop()]);
    rmSync(directory, { recursive: true, force: true });
  }
  const { rounds, seconds } = flags;
  publish({ rows, skipped, origin: origin.title, load: kind, pinned, rounds, seconds, loadBefore }, flags);
}

function publish(results: Results, { complete, write }: Flags): void {
  const text = report(results);
  console.log(text);
  if (!write) return;
  if (!complete) console.log('\nA partial run: docs/benchmarks.md is left as it is.');
  else writeFileSync(PAGE, inserted(readFileSync(PAGE, 'utf8'), text));
}

/** Says on one line of a terminal what goes on; silent elsewhere. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

if (process.argv.includes('--help')) {
  console.log(USAGE);
} else {
  let flags: Flags | undefined;
  try {
    flags = readFlags(process.argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    process.exitCode = 2;
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  if (flags !== undefined) await main(flags);
}
