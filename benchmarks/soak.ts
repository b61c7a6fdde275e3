/**
 * The long run: what must not grow, break or hang, however much goes through. `npm run soak`; `-- --help` lists the flags.
 * Loopback only; ends by itself, with 1 when a promise was broken.
 */
import { soakBodies } from './soak/bodies.ts';
import { type Flags, readFlags, USAGE } from './soak/flags.ts';
import { soakKills } from './soak/kills.ts';
import type { Findings } from './soak/promises.ts';
import { soakRequests } from './soak/requests.ts';
import { soakUnrest } from './soak/unrest/unrest.ts';

async function main({ parts, requests, mebibytes, seconds, seed, clients, engine }: Flags): Promise<void> {
  const runs: Readonly<Record<string, readonly (() => Promise<Findings>)[]>> = {
    unrest: [() => soakUnrest({ seconds, seed, clients: [Math.ceil(clients / 8), clients], engine })],
    requests: [() => soakRequests(requests)],
    bodies: [() => soakBodies(mebibytes)],
    kills: [() => soakKills('unchecked', seconds, seed), () => soakKills('checked', seconds, seed)],
  };
  for (const run of parts.flatMap((part) => runs[part] ?? [])) {
    const found = await run();
    console.log(`${found}\n`);
    if (!found.kept) process.exitCode = 1;
  }
  console.log(process.exitCode === 1 ? 'A promise was broken.' : 'Every promise was kept.');
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
