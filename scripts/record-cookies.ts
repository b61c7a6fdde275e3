/** Records `test/fixtures/haproxy-cookies.json` anew from the HAProxy that is installed: `npm run record:cookies`. */
import { writeFileSync } from 'node:fs';
import { COOKIE_SCENARIOS } from '../test/support/cookie-scenarios.ts';
import { findHaproxy, versionOf } from '../test/support/haproxy-process.ts';
import { LiveCookies } from '../test/support/live-cookies.ts';

const FILE = new URL('../test/fixtures/haproxy-cookies.json', import.meta.url);
const [to = FILE] = process.argv.slice(2);

const haproxy = findHaproxy();
if (haproxy === undefined) throw new Error('haproxy is not installed');
const live = await LiveCookies.start(haproxy, COOKIE_SCENARIOS);
try {
  const texts: string[] = [];
  let count = 0;
  for (const [index] of COOKIE_SCENARIOS.entries()) {
    const { requests, ...scenario } = await live.record(index);
    count += requests.length;
    const lines = requests.map((request) => `    ${JSON.stringify(request)}`);
    texts.push(`  ${JSON.stringify(scenario).slice(0, -1)},"requests":[\n${lines.join(',\n')}\n  ]}`);
  }
  writeFileSync(to, `[\n${texts.join(',\n')}\n]\n`);
  console.log(`HAProxy ${versionOf(haproxy)}: ${count} requests of ${texts.length} scenarios`);
} finally {
  await live.stop();
}
