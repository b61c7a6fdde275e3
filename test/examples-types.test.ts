/**
 * Every example of the README and of docs/ holds under TypeScript's `strict`, as a reader would have it who copies it: those
 * in JavaScript, which cannot say the types of parameters, but for `noImplicitAny`.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { everyExample, withImports } from './support/examples.ts';
import { ROOT } from './support/source-files.ts';

const built = process.execArgv.includes('--conditions=built');
const typesOf = (entry: string): string[] => [join(ROOT, built ? `dist/${entry}.d.ts` : `src/${entry}.ts`)];

const OPTIONS = {
  target: 'es2024',
  lib: ['es2024', 'esnext.disposable'],
  module: 'nodenext',
  types: ['node'],
  noEmit: true,
  strict: true,
  allowImportingTsExtensions: true,
  skipLibCheck: true,
  paths: {
    evenkeel: typesOf('index'),
    'evenkeel/fastify': typesOf('adapters/fastify'),
    'evenkeel/redis': typesOf('redis/redis-table'),
  },
};

/** What the compiler says of these programs. */
async function faultsOf(t: TestContext, programs: ReadonlyMap<string, string>, options: object): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-examples-'));
  t.after(() => rmSync(folder, { recursive: true }));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const compilerOptions = { ...OPTIONS, ...options };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  for (const [name, text] of programs) writeFileSync(join(folder, name), text);
  const compiler = spawn(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder]);
  let output = '';
  for (const stream of [compiler.stdout, compiler.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  await new Promise((resolve) => compiler.once('close', resolve));
  return output;
}

for (const [language, options] of [
  ['js', { noImplicitAny: false }],
  ['ts', {}],
] as const) {
  test(`examples in ${language} compile under 'strict'`, async (t) => {
    const examples = everyExample().filter((example) => example.language === language);
    assert.ok(examples.length > 0);
    const programs = new Map(
      examples.map(({ page, number, code }) => [
        `${page.replaceAll(/\W/g, '-')}-${number}.ts`,
        `${withImports(code)}\nexport {};\n`,
      ]),
    );
    assert.equal(await faultsOf(t, programs, options), '');
  });
}

test('the compiler is heard: a program that is wrong is found', async (t) => {
  const wrong = "import { Pool } from 'evenkeel';\nnew Pool().stats().servers['a'].check.code;\n";
  assert.match(await faultsOf(t, new Map([['wrong.ts', wrong]]), {}), /wrong\.ts\(2,.*possibly 'undefined'/);
});
