import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT, readSource, resolveImport, type SourceFile, sourceFiles } from './support/source-files.ts';

/** Who may import whom. `index` is `src/index.ts`, the public door: it may import every room. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  hashing: [],
  http1: ['core'],
  samples: ['core', 'hashing'],
  servers: ['core'],
  schedulers: ['core', 'servers', 'samples', 'hashing'],
  persistence: ['core', 'servers', 'samples', 'hashing'],
  discovery: ['core', 'servers'],
  connections: ['core', 'servers'],
  health: ['core', 'servers', 'connections', 'http1'],
  forward: ['core', 'servers', 'connections', 'http1'],
  adapters: ['core'],
  pool: [
    ...['core', 'hashing', 'http1', 'samples', 'servers', 'schedulers', 'persistence', 'discovery', 'connections'],
    ...['health', 'forward', 'adapters/node-http.ts'],
  ],
  control: ['core', 'servers', 'pool'],
  observe: ['core'],
  redis: ['core', 'persistence'],
  bin: ['index'],
};

/** Single files that may do more than their room: an adapter with an entry of its own makes a pool from options. */
const MAY_ALSO_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'adapters/fastify.ts': ['index'],
};

/** Runtime packages, and which files may import each; everything else comes from Node itself. */
const PACKAGES: Readonly<Record<string, RegExp>> = {
  eventemitter3: /^src\/core\//,
  'http-proxy-3': /^src\/forward\/http-proxy-engine\.ts$/,
  'lru-cache': /^src\//,
};

/** An optional peer: its types only, in its own adapter. */
const PEERS: Readonly<Record<string, RegExp>> = {
  fastify: /^src\/adapters\/fastify\.ts$/,
  redis: /^src\/redis\//,
};

const MAX_LINES = 400;

const files = sourceFiles('src');

function roomOf(path: string): string {
  const [, room = '', ...rest] = path.split('/');
  return rest.length === 0 ? room.replace(/\.ts$/, '') : room;
}

function mayImport(file: SourceFile, target: string): boolean {
  const [from, to] = [roomOf(file.path), roomOf(target)];
  if (from === 'index' || from === to) return true;
  const allowed = [...(MAY_IMPORT[from] ?? []), ...(MAY_ALSO_IMPORT[file.path.replace('src/', '')] ?? [])];
  return allowed.includes(to) || allowed.includes(target.replace('src/', ''));
}

/** Fails with one line for each offence, so that all are seen at once. */
function none(offences: readonly string[]): void {
  assert.equal(offences.length, 0, `\n  ${offences.join('\n  ')}\n`);
}

test('the reader sees imports of every form, and code but not comments, strings or regular expressions', () => {
  const text = [
    "import type { A } from './a.ts';",
    "import { b } from '../b/b.ts'; // import { c } from './c.ts'",
    'export {\n  d,\n  /* e */\n} from "d";',
    "type F = import('f').F; const g = await import('g'); import 'h'; require('i');",
    "/** import { j } from './j.ts' Date.now() */",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the text is a program
    "const k = /['\"`]/.test('Math.random()') ? `${Date.now()} setTimeout(` : \"from './k.ts'\";",
  ].join('\n');
  const read = readSource('src/core/example.ts', text);
  assert.deepEqual(read.imports, ['./a.ts', '../b/b.ts', 'd', 'f', 'g', 'h', 'i']);
  assert.deepEqual(read.runtimeImports, ['../b/b.ts', 'd', 'f', 'g', 'h', 'i']);
  assert.match(read.code, /Date\.now\(\)/);
  assert.doesNotMatch(read.code, /Math\.random|setTimeout|k\.ts|\be\b/);
  assert.equal(read.code.match(/Date\.now/g)?.length, 1);
});

test('every file lies in a room, and imports only what its room may', () => {
  none(
    files.flatMap((file) => {
      const room = roomOf(file.path);
      if (room !== 'index' && !(room in MAY_IMPORT)) return [`${file.path}: there is no room '${room}'`];
      return file.imports
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => resolveImport(file.path, specifier))
        .filter((target) => !target.startsWith('src/') || !mayImport(file, target))
        .map((target) => `${file.path} must not import ${target}`);
    }),
  );
});

test('every import of a package is of Node, or of a runtime dependency by a file that may', () => {
  none(
    files.flatMap((file) =>
      file.imports
        .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
        .filter((specifier) => !(PACKAGES[specifier] ?? PEERS[specifier])?.test(file.path))
        .map((specifier) => `${file.path} must not import '${specifier}'`),
    ),
  );
});

test('the runtime dependencies are the ones decided on, and each is used', () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
    peerDependencies: Record<string, string>;
  };
  const used = new Set(files.flatMap((file) => file.imports));
  assert.deepEqual(Object.keys(manifest.dependencies).sort(), Object.keys(PACKAGES).sort());
  assert.deepEqual(Object.keys(manifest.peerDependencies), Object.keys(PEERS));
  none(Object.keys(PACKAGES).filter((name) => !used.has(name)));
});

test('no two files need each other to load, directly or through others; types may point back', () => {
  const imports = new Map(
    files.map((file) => [
      file.path,
      file.runtimeImports
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => resolveImport(file.path, specifier)),
    ]),
  );
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
      return;
    }
    if (done.has(path)) return;
    for (const target of imports.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const file of files) visit(file.path, []);
  none(cycles);
});

test('time and chance come in through core/environment.ts alone', () => {
  const sources =
    /\b(?:Date\.now|Math\.random|performance\.now|process\.hrtime|AbortSignal\.timeout)\b|\bnew Date\(\)|(?<![.\w#])(?:globalThis\.)?set(?:Timeout|Interval)\(/g;
  none(
    files
      .filter((file) => file.path !== 'src/core/environment.ts' && roomOf(file.path) !== 'bin')
      .flatMap((file) => [
        ...[...file.code.matchAll(sources)].map(([found]) => `${file.path}: ${found}`),
        ...file.imports.filter((name) => /^node:timers/.test(name)).map((name) => `${file.path}: ${name}`),
      ]),
  );
});

test('no file is a drawer for odds and ends, and none is longer than it can be understood', () => {
  none(
    files.flatMap((file) => [
      ...(/^(?:utils?|helpers?|common|types?|misc|shared)\.ts$/.test(file.name) ? [`${file.path}: by its name`] : []),
      ...(file.lines > MAX_LINES ? [`${file.path}: ${file.lines} lines, allowed: ${MAX_LINES}`] : []),
    ]),
  );
});

test('the lock file names no registry, so that any can be used', () => {
  const lock = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
  none(lock.match(/"resolved": "[^"]*"|https?:\/\/[^"/]*registry[^"]*/g) ?? []);
});

test('the tests look at the build when they are told to, and at the sources otherwise', () => {
  const built = process.execArgv.includes('--conditions=built');
  const target = import.meta.resolve('#src/core/units.ts');
  assert.ok(target.endsWith(built ? '/dist/core/units.js' : '/src/core/units.ts'), target);
});
