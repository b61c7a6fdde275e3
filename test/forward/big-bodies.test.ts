import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from '#src/index.ts';
import { seededRandom } from '../support/virtual-clock.ts';

const MIB = 1_048_576;

/** Bytes that are others for each seed, in pieces of up to `most` bytes. */
function* pieces(seed: number, bytes: number, most: number): Generator<Buffer> {
  const random = seededRandom(seed);
  for (let left = bytes; left > 0; ) {
    const piece = Buffer.alloc(Math.min(left, 1 + Math.floor(random() * most)), `${seed} ${left} `);
    left -= piece.length;
    yield piece;
  }
}

function hashOf(parts: Iterable<Buffer>): string {
  const hash = createHash('md5');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

async function listen(
  t: TestContext,
  handle: (request: IncomingMessage, response: ServerResponse) => unknown,
): Promise<number> {
  const server: Server = createServer(handle);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A front that hands its requests to `before` and then to a pool in front of `origin`. */
async function front(
  t: TestContext,
  origin: number,
  before: (request: IncomingMessage) => void = () => {},
): Promise<number> {
  const pool = new Pool({ servers: [`127.0.0.1:${origin}`] });
  const handle = pool.middleware();
  t.after(() => pool.close({ graceMs: 0 }));
  return listen(t, (incoming, response) => {
    before(incoming);
    handle(incoming, response);
  });
}

async function ask(port: number, path: string, body?: Iterable<Buffer>): Promise<IncomingMessage> {
  const sent = request({ port, host: '127.0.0.1', path, method: body ? 'POST' : 'GET', agent: false });
  for (const piece of body ?? []) if (!sent.write(piece)) await once(sent, 'drain');
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

test('many answers in chunks of every size at a time, some to slow clients: each has its own bytes', async (t) => {
  const [clients, bytes] = [12, 4 * MIB];
  const mostOf = (seed: number): number => [500, 3_000, 20_000, 100_000][seed % 4] ?? 0;
  const origin = await listen(t, async ({ url }, response) => {
    const seed = Number(url?.slice(1));
    for (const piece of pieces(seed, bytes, mostOf(seed))) if (!response.write(piece)) await once(response, 'drain');
    response.end();
  });
  const port = await front(t, origin);
  const hashes = Array.from({ length: clients }, async (_, seed) => {
    const hash = createHash('md5');
    let reads = 0;
    for await (const chunk of await ask(port, `/${seed}`)) {
      hash.update(chunk as Buffer);
      if (seed % 3 === 0 && ++reads % 10 === 0) await delay(2);
    }
    return hash.digest('hex');
  });
  const expected = Array.from({ length: clients }, (_, seed) => hashOf(pieces(seed, bytes, mostOf(seed))));
  assert.deepEqual(await Promise.all(hashes), expected);
});

/** A server that answers with the hash of what it got. */
function hashes(t: TestContext): Promise<number> {
  return listen(t, async (incoming, response) => {
    const parts: Buffer[] = [];
    for await (const chunk of incoming) parts.push(chunk as Buffer);
    response.end(hashOf(parts));
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return text;
}

test('what is sent of an upload is freed at once', async (t) => {
  const seen: Buffer[] = [];
  const port = await front(t, await hashes(t), (incoming) => {
    const emit = incoming.emit.bind(incoming);
    incoming.emit = (event: string, ...values: unknown[]) => {
      if (event === 'data') seen.push(values[0] as Buffer);
      return emit(event, ...values);
    };
  });
  const answer = await textOf(await ask(port, '/', pieces(1, 4 * MIB, 65_536)));
  assert.equal(answer, hashOf(pieces(1, 4 * MIB, 65_536)));
  const big = seen.slice(5).filter(({ length }) => length === 0);
  assert.ok(big.length > 10, `only ${big.length} of ${seen.length} chunks were freed`);
});

test('but nothing that somebody else may still look at', async (t) => {
  const seen: Buffer[] = [];
  const port = await front(t, await hashes(t), (incoming) => incoming.on('data', (chunk: Buffer) => seen.push(chunk)));
  const expected = hashOf(pieces(2, 2 * MIB, 65_536));
  assert.equal(await textOf(await ask(port, '/', pieces(2, 2 * MIB, 65_536))), expected);
  assert.equal(hashOf(seen), expected);
});

test('a request that a middleware listens to, or has held up, is carried whole', async (t) => {
  for (const before of [
    (incoming: IncomingMessage) => void incoming.on('data', () => {}),
    (incoming: IncomingMessage) => void incoming.resume(),
    (incoming: IncomingMessage) => void incoming.pause(),
  ]) {
    const port = await front(t, await hashes(t), before);
    for (const bytes of [10, 100_000]) {
      const answer = await ask(port, '/', pieces(3, bytes, 65_536));
      assert.equal(await textOf(answer), hashOf(pieces(3, bytes, 65_536)), `${bytes} bytes, ${before}`);
    }
  }
});
