import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { ROOT } from '../support/source-files.ts';
import { CommandProcess } from './command-process.ts';

const SHARES = /demo: last 3 seconds: (\d+) requests: a (\d+) \(\d+ %\), b (\d+) \(\d+ %\), c (\d+) \(\d+ %\)/;

test('npm start shows balancing, failure and recovery within 20 seconds of its time, and loses no request', async (t) => {
  const script = pathToFileURL(join(ROOT, 'scripts/demo.ts')).href;
  const demo = new CommandProcess(t, ['--for', '16s', '--speed', '4'], { script });
  const { code, stdout, stderr } = await demo.ended;
  assert.equal(stderr, '');
  assert.equal(code, 0);
  const order = [
    /listening on http:\/\/127\.0\.0\.1:\d+, balancing 3 servers by roundrobin: a \S+ weight 3, b \S+ weight 2, c /,
    /demo: .* 3 : 2 : 1/,
    SHARES,
    /demo: b breaks/,
    / b DOWN: /,
    /demo: b is mended/,
    / b UP: /,
    /drained/,
    /demo: in all \d+ requests: .*; 0 failed\n$/,
  ].map((pattern) => {
    const at = stdout.search(pattern);
    assert.ok(at >= 0, `${pattern} is not in:\n${stdout}`);
    return at;
  });
  assert.deepEqual(
    order,
    [...order].sort((one, other) => one - other),
    stdout,
  );
  const [total = 0, ...shares] = (SHARES.exec(stdout) ?? []).slice(1).map(Number);
  assert.ok(total >= 6, stdout);
  for (const [i, weight] of [3, 2, 1].entries()) {
    // Round robin is exact; answers that are under way when the shares are told make the difference.
    assert.ok(Math.abs((shares[i] ?? 0) - (total * weight) / 6) <= 2, stdout);
  }
});
