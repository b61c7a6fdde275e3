import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import type { HealthCheck } from '#src/health/health-check.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { addressOf, checkOf, start, targetOf } from './probing.ts';

// A check keeps no process alive, its program's included.
const hold = setInterval(() => {}, 1000);
after(() => clearInterval(hold));

const target = targetOf(addressOf('127.0.0.1:8080'));

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'evenkeel-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

/** A program of these lines of shell, and the folder it lies in. */
async function program(t: TestContext, lines: string): Promise<{ check: HealthCheck; folder: string }> {
  const folder = await folderOf(t);
  const command = join(folder, 'check');
  await writeFile(command, `#!/bin/sh\n${lines.replaceAll('FOLDER', folder)}\n`);
  await chmod(command, 0o755);
  return { check: checkOf({ type: 'external', command, path: '/usr/bin:/bin' }), folder };
}

test('a program that exits with 0 passes, and gets the arguments of HAProxy', async (t) => {
  const { check, folder } = await program(t, 'printf "%s\\n" "$@" > FOLDER/arguments');
  assert.deepEqual(await start(check, target).result, { result: 'passed', code: 'PROCOK', description: '' });
  assert.equal(await readFile(join(folder, 'arguments'), 'utf8'), 'NOT_USED\nNOT_USED\n127.0.0.1\n8080\n');
});

test('it gets the environment of HAProxy, and nothing of ours', async (t) => {
  const { check, folder } = await program(t, 'env | sort > FOLDER/environment; pwd > FOLDER/pwd');
  assert.equal((await start(check, target).result).code, 'PROCOK');
  const lines = (await readFile(join(folder, 'environment'), 'utf8')).trim().split('\n');
  // The shell adds PWD and its like.
  assert.deepEqual(
    lines.filter((line) => /^(?:PATH|HAPROXY_)/.test(line)),
    [
      'HAPROXY_PROXY_ADDR=',
      'HAPROXY_PROXY_ID=',
      'HAPROXY_PROXY_NAME=',
      'HAPROXY_PROXY_PORT=',
      'HAPROXY_SERVER_ADDR=127.0.0.1',
      'HAPROXY_SERVER_CURCONN=0',
      'HAPROXY_SERVER_ID=1',
      'HAPROXY_SERVER_MAXCONN=0',
      'HAPROXY_SERVER_NAME=s1',
      'HAPROXY_SERVER_PORT=8080',
      'HAPROXY_SERVER_PROTO=h1',
      'HAPROXY_SERVER_SSL=0',
      'PATH=/usr/bin:/bin',
    ],
  );
  assert.ok(lines.length < 17, lines.join('\n'));
  assert.equal(await readFile(join(folder, 'pwd'), 'utf8'), '/\n');
});

test('of a unix socket it gets the path, and of TLS that it is spoken', async (t) => {
  const { check, folder } = await program(t, 'echo "$3 $4 $HAPROXY_SERVER_PORT $HAPROXY_SERVER_SSL" >> FOLDER/told');
  await start(check, targetOf(addressOf('unix:/run/app.sock'))).result;
  await start(check, targetOf(addressOf('https://[::1]'))).result;
  assert.equal(await readFile(join(folder, 'told'), 'utf8'), '/run/app.sock NOT_USED  0\n::1 443 443 1\n');
});

test('another exit status fails, and so does a signal', async (t) => {
  const { check: three } = await program(t, 'exit 3');
  const failed = { result: 'failed', code: 'PROCERR' };
  assert.deepEqual(await start(three, target).result, { ...failed, status: 3, description: 'exit status 3' });
  const { check: killed } = await program(t, 'kill -SEGV $$');
  assert.deepEqual(await start(killed, target).result, {
    ...failed,
    status: undefined,
    description: 'ended by SIGSEGV',
  });
});

test('what is no program fails in words', async (t) => {
  const folder = await folderOf(t);
  const { result } = start(checkOf({ type: 'external', command: `${folder}/none` }), target);
  assert.deepEqual(await result, { result: 'failed', code: 'PROCERR', description: 'no such program' });
  await writeFile(`${folder}/text`, 'text', { mode: 0o644 });
  const { description } = await start(checkOf({ type: 'external', command: `${folder}/text` }), target).result;
  assert.equal(description, 'not a program that may be run');
});

test('what a program prints is not read', async (t) => {
  const { check } = await program(t, 'head -c 10000000 /dev/zero; head -c 10000000 /dev/zero >&2');
  const { result } = start(check, target);
  assert.equal((await result).code, 'PROCOK');
});

/** A program that does not end, with a child; `ended`: both have. */
async function endless(t: TestContext): Promise<{ check: HealthCheck; started: Promise<void>; ended: Promise<void> }> {
  const { check, folder } = await program(
    t,
    'exec 3>FOLDER/alive; trap "" TERM HUP INT; sleep 1000 & echo started >&3; while :; do sleep 1000; done',
  );
  const alive = join(folder, 'alive');
  execFileSync('mkfifo', [alive]);
  const started = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  // It ends when all who could write have ended.
  createReadStream(alive)
    .on('data', () => started.resolve())
    .on('end', () => ended.resolve());
  return { check, started: started.promise, ended: ended.promise };
}

test('a program that does not end in time is killed, with all that it has started', async (t) => {
  const clock = new VirtualClock();
  const { check, started, ended } = await endless(t);
  const { result, calls } = start(check, target, { environment: clock, connectMs: 700, answerMs: 900 });
  await started;
  clock.advance(899);
  assert.equal(calls(), 0);
  clock.advance(1);
  const description = 'killed after 900 ms';
  assert.deepEqual(await result, { result: 'failed', code: 'PROCTOUT', description });
  await ended;
  assert.deepEqual([calls(), clock.pending], [1, 0]);
});

test('a probe that is cancelled is silent, and its program is killed', async (t) => {
  const clock = new VirtualClock();
  const { check, started, ended } = await endless(t);
  const { cancel, calls } = start(check, target, { environment: clock });
  await started;
  cancel();
  cancel();
  await ended;
  assert.deepEqual([calls(), clock.pending], [0, 0]);
});
