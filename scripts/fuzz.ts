import { parseArgs } from 'node:util';
import { check } from './fuzz/check.ts';
import { inputOf } from './fuzz/inputs.ts';
import { inputFrom, report, run } from './fuzz/run.ts';
import { sampleOverSockets } from './fuzz/sockets.ts';

const USAGE = `npm run fuzz -- [options]
  --inputs <n>      inputs in process (default 2500000)
  --sockets <n>     of the same seed's responses, sent over real sockets as well (default 10000)
  --seed <n>        default: the time
  --only <n>        looks at this input of the seed alone
  --replay <word>   looks at an input as a failing run has printed it`;

/** A whole number of the command line. */
function whole(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new Error(`--${name} ${text}: not a whole number\n\n${USAGE}`);
}

const { values } = parseArgs({
  options: {
    inputs: { type: 'string' },
    sockets: { type: 'string' },
    seed: { type: 'string' },
    only: { type: 'string' },
    replay: { type: 'string' },
    help: { type: 'boolean' },
  },
});

const seed = whole('seed', values.seed, Date.now() % 1_000_000);
let faults: readonly string[];
if (values.help) {
  console.log(USAGE);
  faults = [];
} else if (values.replay !== undefined || values.only !== undefined) {
  const index = whole('only', values.only, 0);
  const input = values.replay === undefined ? inputOf(seed, index) : inputFrom(values.replay);
  if (!input) throw new Error(`--replay: not an input\n\n${USAGE}`);
  const { accepted, fault } = check(input);
  console.log(JSON.stringify(input.text));
  console.log(fault === undefined ? `as Node has it: ${accepted ? 'accepted' : 'refused'}` : '');
  faults = fault === undefined ? [] : [report(seed, index, input, fault)];
} else {
  faults = await fuzz();
}
for (const fault of faults) console.error(`\n${fault}`);
process.exitCode = faults.length > 0 ? 1 : 0;

async function fuzz(): Promise<readonly string[]> {
  const inputs = whole('inputs', values.inputs, 2_500_000);
  const sockets = whole('sockets', values.sockets, 10_000);
  console.log(`seed ${seed}, Node.js ${process.version}`);
  const start = performance.now();
  const seconds = (): string => `${((performance.now() - start) / 1_000).toFixed(0)} s`;
  const tally = run(seed, inputs, (done) => console.log(`${done} inputs, ${seconds()}`));
  for (const kind of ['response', 'request'] as const) {
    const { inputs: seen, accepted } = tally[kind];
    console.log(`${kind}s: ${seen} inputs, ${accepted} accepted`);
  }
  const sample = await sampleOverSockets(seed, sockets);
  console.log(`over sockets: ${sample.inputs} responses, ${sample.accepted} accepted`);
  const all = [...tally.faults, ...sample.faults];
  console.log(`${all.length === 0 ? 'no difference' : `${all.length} differences`} in ${seconds()}`);
  return all;
}
