/** Requests and short answers leave at the end of the turn of the event loop: what may happen between choice and write. */
import assert from 'node:assert/strict';
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type net from 'node:net';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Pool, type RequestEvent } from '#src/index.ts';
import { answersOk, Origin } from '../support/origin.ts';
import { RawClient } from '../support/raw-client.ts';

type Hook = (request: IncomingMessage, response: ServerResponse) => void;

/** A pool with one kept connection behind it; `hook` runs in the turn of the next request, after the pool has it. */
async function warm(t: TestContext, hook: Hook): Promise<{ pool: Pool; origin: Origin; client: RawClient }> {
  const origin = await Origin.start(answersOk('whole'));
  const pool = new Pool({ servers: [{ name: 'a', address: origin.url }], retries: 0 });
  const handle = pool.middleware();
  const front = createServer((request, response) => {
    handle(request, response);
    if (request.url === '/hook') hook(request, response);
  });
  await once(front.listen(0, '127.0.0.1'), 'listening');
  const client = await RawClient.open((front.address() as AddressInfo).port);
  t.after(async () => {
    client.leave();
    front.close();
    await pool.close({ graceMs: 0 });
    await origin.stop();
  });
  assert.equal((await client.send()).status, 200);
  return { pool, origin, client };
}

/** The pool's own ends of its connections to servers. */
const dialled: net.Socket[] = [];
subscribe('net.client.socket', (message) => dialled.push((message as { socket: net.Socket }).socket));

for (const method of ['GET', 'POST']) {
  test(`a kept connection that dies before a ${method} without a body is written to it costs the request nothing`, async (t) => {
    const { pool, origin, client } = await warm(t, () => {
      for (const socket of dialled) if (socket.remotePort === origin.port) socket.destroy();
    });
    const answer = await client.send({ method, path: '/hook' });
    assert.deepEqual([answer.status, answer.body], [200, 'whole']);
    assert.deepEqual(
      origin.requests.map(({ target, connection }) => [target, connection.nth]),
      [
        ['/', 1],
        ['/hook', 2],
      ],
    );
    const { econ, eresp, wretr } = pool.stats().servers['a'] ?? {};
    assert.deepEqual({ econ, eresp, wretr }, { econ: 0, eresp: 0, wretr: 0 });
  });
}

test('a client that leaves in the turn of its request frees the slot', async (t) => {
  const { pool, client } = await warm(t, (request) => request.socket.destroy());
  const event = new Promise<RequestEvent>((resolve) => pool.on('request', resolve));
  client.start({ path: '/hook' });
  const { status, server } = await event;
  assert.deepEqual([status, server], [499, 'a']);
  await client.closed;
  assert.equal(pool.stats().servers['a']?.active, 0);
});

test('a pool is not closed before the last answer is written', async (t) => {
  let written: Promise<boolean> | undefined;
  const { pool, client } = await warm(t, (_request, response) => {
    written = pool.close().then(() => response.writableEnded);
  });
  assert.equal((await client.send({ path: '/hook' })).body, 'whole');
  assert.equal(await written, true);
});

test('an answer whose response has been ended or made to throw meanwhile ends nothing but its client', async (t) => {
  const { client, pool } = await warm(t, (_request, response) => {
    const { writeHead } = response;
    response.writeHead = function (this: ServerResponse, ...given: unknown[]) {
      Reflect.apply(writeHead, this, given);
      response.end = () => {
        throw new Error('a middleware’s');
      };
      return this;
    } as typeof response.writeHead;
  });
  const answer = await client.send({ path: '/hook' });
  assert.equal(answer.complete, false);
  assert.equal(pool.stats().servers['a']?.active, 0);
});
