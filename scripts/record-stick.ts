/** Records `test/fixtures/haproxy-stick.json` anew from the HAProxy that is installed: `npm run record:stick`. */
import { writeFileSync } from 'node:fs';
import { findHaproxy, versionOf } from '../test/support/haproxy-process.ts';
import { LiveStick } from '../test/support/live-stick.ts';
import { STICK_SCENARIOS } from '../test/support/stick-scenarios.ts';

const FILE = new URL('../test/fixtures/haproxy-stick.json', import.meta.url);
const [to = FILE] = process.argv.slice(2);

const haproxy = findHaproxy();
if (haproxy === undefined) throw new Error('haproxy is not installed');
const live = await LiveStick.start(haproxy, STICK_SCENARIOS);
try {
  const texts: string[] = [];
  let count = 0;
  for (const [index] of STICK_SCENARIOS.entries()) {
    const { steps, ...scenario } = await live.record(index);
    count += steps.filter((step) => 'ask' in step).length;
    const lines = steps.map((step) => `    ${JSON.stringify(step)}`);
    texts.push(`  ${JSON.stringify(scenario).slice(0, -1)},"steps":[\n${lines.join(',\n')}\n  ]}`);
  }
  writeFileSync(to, `[\n${texts.join(',\n')}\n]\n`);
  console.log(`HAProxy ${versionOf(haproxy)}: ${count} requests of ${texts.length} scenarios`);
} finally {
  await live.stop();
}
