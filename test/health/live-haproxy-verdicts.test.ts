/**
 * How checks end, ours and those of the HAProxy that is installed here, if there is one: `haproxy-verdicts.ts` holds what
 * HAProxy said when they were written down.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { withHaproxy } from '../support/haproxy-process.ts';
import { type Script, VERDICTS } from './haproxy-verdicts.ts';
import { checkOf, type Listener, listen, start, targetOf } from './probing.ts';

const ANSWER_MS = 400;

function play(t: TestContext, { greeting, answer, close = false }: Script): Promise<Listener> {
  return listen(t, (socket) => {
    const say = (text: string): void => {
      if (text !== '') socket.write(text, 'latin1');
      if (close) socket.end();
    };
    if (greeting !== undefined) say(greeting);
    else if (answer === undefined) say('');
    socket.on('data', () => answer !== undefined && say(answer));
  });
}

function nameOf(index: number): string {
  const { server, rules, code } = VERDICTS[index] ?? assert.fail();
  return `${rules.join('; ')} of ${JSON.stringify(server)}: ${code}`;
}

test('our checks end as HAProxy’s', async (t) => {
  const wrong = await Promise.all(
    VERDICTS.map(async ({ server, check, code }, index) => {
      const listener = await play(t, server);
      const limits = { connectMs: 20_000, answerMs: code.endsWith('TOUT') ? ANSWER_MS : 20_000 };
      const result = await start(checkOf(check), targetOf(listener.address), limits).result;
      return result.code === code ? '' : `${nameOf(index)}, and not ${result.code} (${result.description})`;
    }),
  );
  assert.deepEqual(
    wrong.filter((line) => line !== ''),
    [],
  );
});

withHaproxy('the HAProxy that is installed ends them so', async (haproxy, t) => {
  const listeners = await Promise.all(VERDICTS.map(({ server }) => play(t, server)));
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-checks-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const stats = join(folder, 'stats');
  const backends = VERDICTS.map(
    ({ rules }, index) =>
      `backend b${index}\n  ${rules.join('\n  ')}\n  server s 127.0.0.1:${listeners[index]?.address.port} check inter 1s\n`,
  );
  const defaults = `defaults\n  timeout connect 5s\n  timeout server 5s\n  timeout check ${ANSWER_MS}ms\n`;
  const config = join(folder, 'cfg');
  writeFileSync(config, `global\n  stats socket ${stats} level admin\n${defaults}${backends.join('')}`);
  const { status, stderr } = spawnSync(haproxy, ['-c', '-q', '-f', config], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const child = spawn(haproxy, ['-db', '-f', config], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  const wrong = (await statuses(stats)).flatMap((code, index) =>
    code === VERDICTS[index]?.code ? [] : [`${nameOf(index)}, and not ${code}`],
  );
  assert.deepEqual(wrong, []);
});

/** How the check of each backend ended, once all have. */
async function statuses(socket: string): Promise<string[]> {
  for (const until = Date.now() + 20_000; ; ) {
    try {
      const [names = [], ...rows] = (await ask(socket, 'show stat')).split('\n').map((line) => line.split(','));
      const column = names.indexOf('check_status');
      const codes = rows.filter(([, server]) => server === 's').map((row) => row[column] ?? '');
      if (codes.length === VERDICTS.length && codes.every((code) => /^L\d/.test(code))) return codes;
    } catch {
      // It has not started yet.
    }
    assert.ok(Date.now() < until, 'HAProxy has not checked all');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function ask(path: string, command: string): Promise<string> {
  const socket = connect(path);
  await once(socket, 'connect');
  socket.end(`${command}\n`);
  let text = '';
  for await (const piece of socket.setEncoding('utf8')) text += piece;
  return text;
}
