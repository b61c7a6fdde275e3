import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigError } from '#src/core/errors.ts';
import { NOT_SUPPORTED_BY_POOL, NOT_SUPPORTED_BY_SERVER, NOT_SUPPORTED_TIMEOUTS } from '#src/pool/not-supported.ts';
import { resolvePoolOptions } from '#src/pool/resolve-options.ts';
import { ROOT } from './support/source-files.ts';

/** What docs/from-haproxy.md says of keywords that are known and not here, held against the code. */

const page = readFileSync(join(ROOT, 'docs/from-haproxy.md'), 'utf8');
const known = page.slice(page.indexOf('## Known, but not here'));
const [ofPool = '', ofServer = '', ofTimeout = '', ofChecksAndRules = ''] = known.split(/^Of .*:$/m);

/** The words in back-ticks of each first cell. */
function wordsIn(section: string): string[] {
  const cells = [...section.matchAll(/^\| (`.*?) \|/gm)].map(([, cell = '']) => cell);
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word));
}

/** Says "not supported (HAProxy: …)", and no word of anything being unknown. */
function refuses(options: object, what: string): void {
  assert.throws(
    () => resolvePoolOptions(options as never),
    (error: unknown) => {
      assert.ok(error instanceof ConfigError, what);
      assert.match(error.message, /not supported \(HAProxy: /, what);
      return true;
    },
  );
}

test('every option of a pool that is said to be known and missing is refused as such', () => {
  const words = wordsIn(ofPool);
  assert.ok(words.length > 15, 'the table was found');
  for (const word of words) refuses({ [word]: true }, word);
});

test('every option of a server that is said to be known and missing is refused as such', () => {
  const words = wordsIn(ofServer);
  assert.ok(words.length > 15, 'the table was found');
  for (const word of words) refuses({ servers: [{ address: '127.0.0.1:1', [word]: true }] }, word);
});

test('every time limit that is said to be known and missing is refused as such', () => {
  const words = wordsIn(ofTimeout);
  assert.ok(words.length > 1, 'the table was found');
  for (const word of words) refuses({ timeout: { [word]: '1s' } }, word);
});

test('every check, expectation and rule that is said to be known and missing is refused as such', () => {
  const rows = ofChecksAndRules.split('\n').filter((line) => line.startsWith('| '));
  const [expects = '', ...rules] = rows.slice(1).filter((row) => !row.startsWith('|--'));
  const checked = (check: unknown): object => ({ servers: [{ address: '127.0.0.1:1', check }] });
  for (const word of wordsIn(expects).slice(1))
    refuses(checked({ type: 'http', expect: { [word]: 'x' } }), `expect ${word}`);
  const actions = rules.flatMap(wordsIn);
  assert.ok(actions.length > 0, 'the rules were found');
  for (const action of actions) refuses({ httpResponse: [{ [action]: 1 }] }, action);
});

test('every keyword that the code knows and does not have is said to be missing', () => {
  const said = { pool: wordsIn(ofPool), server: wordsIn(ofServer), timeout: wordsIn(ofTimeout) };
  assert.deepEqual(
    [
      ...Object.keys(NOT_SUPPORTED_BY_POOL).filter((key) => !said.pool.includes(key)),
      ...Object.keys(NOT_SUPPORTED_BY_SERVER).filter((key) => !said.server.includes(key)),
      ...Object.entries(NOT_SUPPORTED_TIMEOUTS)
        .filter(([key, words]) => words.includes('HAProxy') && !said.timeout.includes(key))
        .map(([key]) => key),
    ],
    [],
  );
});
