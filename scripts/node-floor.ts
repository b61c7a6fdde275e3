import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The oldest Node.js that `engines` in package.json promises. */
const FLOOR = '22.19.0';

/**
 * The path of that Node.js, installed on first use. It gets a folder and a manifest of its own: `npm exec` cannot allow
 * the install script that fetches the binary, and a second `node` in our own manifest would fight over `.bin/node`.
 */
export function floorNode(): string {
  const folder = join(import.meta.dirname, '../node_modules/.cache', `node-${FLOOR}`);
  const binary = join(folder, 'node_modules/node/bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (versionOf(binary) !== `v${FLOOR}`) {
    mkdirSync(folder, { recursive: true });
    const manifest = { private: true, dependencies: { node: FLOOR }, allowScripts: { node: true } };
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
    const install = spawnSync('npm install --no-audit --no-fund --no-package-lock', {
      cwd: folder,
      shell: true,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (install.status !== 0 || versionOf(binary) !== `v${FLOOR}`)
      throw new Error(`could not install Node.js ${FLOOR}`);
  }
  return binary;
}

function versionOf(binary: string): string | undefined {
  return existsSync(binary) ? spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout.trim() : undefined;
}

if (import.meta.main) {
  const binary = floorNode();
  console.log(`running on ${versionOf(binary)}`);
  const run = spawn(binary, process.argv.slice(2), { stdio: 'inherit' });
  run.on('exit', (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 1;
  });
}
