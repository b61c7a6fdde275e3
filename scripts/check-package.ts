import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { floorNode } from './node-floor.ts';

/**
 * Packs the package as for publishing, examines the tarball, installs it into an empty folder and uses it from there
 * as an ES module, from CommonJS, from TypeScript and from the command line. Leaves nothing behind.
 */

const ROOT = join(import.meta.dirname, '..');
/** A consumer that has not ended by then is held open by something the pool left behind. */
const CONSUMER_LIMIT_MS = 30_000;

const folder = mkdtempSync(join(tmpdir(), 'evenkeel-package-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

const bin = join(ROOT, 'node_modules/.bin');
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` };

function run(title: string, command: string, args: readonly string[], cwd: string, expectedStatus = 0): void {
  console.log(`-- ${title}`);
  const timeout = command === 'npm' ? 300_000 : CONSUMER_LIMIT_MS;
  const done = spawnSync(command, args, { cwd, env, stdio: 'inherit', timeout });
  if (done.status === expectedStatus) return;
  console.error(`${title}: ${done.error?.message ?? `ended with ${done.signal ?? done.status}`}`);
  process.exit(1);
}

run('npm pack', 'npm', ['pack', '--silent', '--pack-destination', folder], ROOT);
const [tarball] = readdirSync(folder).map((name) => join(folder, name));
if (tarball === undefined) throw new Error('npm pack made no tarball');

const listed = spawnSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).stdout.trim().split('\n');
const strays = listed.filter(
  (name) => !/^package\/(?:dist\/.+\.(?:js|d\.ts)|docs\/[a-z-]+\.md|[A-Z]+(?:\.md)?|package\.json)$/.test(name),
);
if (strays.length > 0) throw new Error(`does not belong into the package: ${strays.join(', ')}`);

run('publint', 'publint', ['run', '--strict', tarball], ROOT);
run('are the types wrong?', 'attw', ['--profile', 'esm-only', tarball], ROOT);

const home = join(folder, 'consumer');
cpSync(join(ROOT, 'test/consumers'), home, { recursive: true });
writeFileSync(join(home, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
run('install the tarball', 'npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', tarball], home);
// The consumer's own @types/node: only the folder's modules are in sight from there.
cpSync(join(ROOT, 'node_modules/@types/node'), join(home, 'node_modules/@types/node'), { recursive: true });
cpSync(join(ROOT, 'node_modules/undici-types'), join(home, 'node_modules/undici-types'), { recursive: true });
run('type-check a TypeScript consumer', 'tsc', ['-p', 'tsconfig.json'], home);

const nodes = { [`Node.js ${process.version}`]: process.execPath, 'the oldest Node.js promised': floorNode() };
for (const [which, node] of Object.entries(nodes)) {
  run(`ESM on ${which}`, node, ['consumer.mjs'], home);
  run(`CommonJS on ${which}`, node, ['consumer.cjs'], home);
  run(`TypeScript on ${which}`, node, ['consumer.ts'], home);
}
run('the command refuses bad arguments', join(home, 'node_modules/.bin/evenkeel'), ['--no-such-option'], home, 2);
console.log('the package is sound');
