import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { Pool } from '#src/index.ts';

test('http-proxy-3 is loaded by the first pool that uses it', () => {
  const { cache } = createRequire(import.meta.url);
  const loaded = (): boolean => Object.keys(cache).some((path) => path.includes('/http-proxy-3/'));
  new Pool();
  assert.equal(loaded(), false);
  new Pool({ engine: 'http-proxy-3' });
  assert.equal(loaded(), true);
});
