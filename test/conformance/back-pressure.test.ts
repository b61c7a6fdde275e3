import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ClientExchange } from '../support/client-exchange.ts';
import { ADAPTERS, type Adapter, type EngineName } from '../support/fronts.ts';
import { Origin, type OriginRequest } from '../support/origin.ts';
import type { Order, Report } from './back-pressure.child.ts';
import { within } from './stage.ts';

const MIB = 1_048_576;
const BODY = 64 * MIB;

/** A body of any size grows the process by no more than this. */
const MAY_GROW = 16 * MIB;

/**
 * Node's streams, which http-proxy-3 reads with, and its HTTP/2, read each piece into a new buffer that is not ours to free;
 * V8 lets that garbage lie for a while. What is held on to is the same little.
 */
const WITH_GARBAGE_OF_NODE = 64 * MIB;

function mayGrow(engine: EngineName, adapter: Adapter, direction: string): number {
  const readsByItself = engine === 'http1' && (direction === 'download' || adapter.can.has('http1'));
  return readsByItself ? MAY_GROW : WITH_GARBAGE_OF_NODE;
}

/** Memory of one request: a read buffer and a bounded copy of the body, with room for what is counted besides. */
const MAY_HOLD = 2 * MIB;

/** What may be on its way between two sockets that hold each other up: the kernel's buffers, and ours. */
const ON_ITS_WAY = 24 * MIB;

/** Under these a body takes the same path as under node:http, once it has passed the adapter. */
const LIKE_NODE_HTTP: ReadonlySet<string> = new Set(['node:http, attached', 'Express 5', 'Express 4', 'Connect']);
const SAME_PATH = 'a body takes the same path as under node:http, which is looked at with this engine';

const PIECE = Buffer.alloc(65_536, 'evenkeel');

const CHILD = fileURLToPath(new URL('./back-pressure.child.ts', import.meta.url));

interface Front {
  /** Where each adapter listens, by its name. */
  readonly ports: Report['ports'];
  ask(order: Order): Promise<Report>;
  end(): void;
}

async function start(engine: EngineName, address: string): Promise<Front> {
  const child: ChildProcess = fork(CHILD, [engine, address], {
    execArgv: [...execArgv(), '--expose-gc'],
  });
  const [{ ports }] = (await within(once(child, 'message'), 'the start of the fronts', 20_000)) as [Report];
  return {
    ports,
    end: () => child.kill(),
    async ask(order) {
      child.send(order);
      const [report] = (await once(child, 'message')) as [Report];
      return report;
    },
  };
}

/** Conditions of this process hold for the child; what concerns the test runner does not. */
function execArgv(): string[] {
  return process.execArgv.filter((argument) => /^--(conditions|disable-warning|no-warnings|import)/.test(argument));
}

/** Waits until a count of bytes stands still: somebody holds them up. */
async function standstill(count: () => number): Promise<number> {
  for (let before = -1, still = 0; still < 4; before = count()) {
    await new Promise((resolve) => setTimeout(resolve, 15)); // no event tells that nothing happens
    still = count() === before ? still + 1 : 0;
  }
  return count();
}

/** Garbage is one thing, what cannot be collected another: of that there is little, while a peer holds things up. */
async function assertHoldsLittle(front: Front): Promise<void> {
  const { held } = await front.ask('report');
  assert.ok(held < MAY_HOLD, `${(held / MIB).toFixed(1)} MiB are held for a peer that takes nothing`);
}

/** Sends so many bytes as fast as they are taken. `sent` counts them. */
function pour(write: (piece: Buffer) => boolean, drained: () => Promise<unknown>, bytes: number) {
  const state = { sent: 0, done: Promise.resolve() };
  state.done = (async () => {
    while (state.sent < bytes) {
      const piece = PIECE.subarray(0, Math.min(PIECE.length, bytes - state.sent));
      state.sent += piece.length;
      if (!write(piece)) await drained();
    }
  })();
  return state;
}

async function download(adapter: Adapter, front: Front, origin: Origin, bytes: number, slow: boolean): Promise<void> {
  const client = await adapter.connect(front.ports[adapter.name] ?? 0);
  const exchange: ClientExchange = client.start();
  exchange.keepsBody = false;
  exchange.endure();
  if (slow) exchange.pause();
  const { socket } = await origin.request(origin.requests.length + 1);
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
  const sending = pour(
    (piece) => socket.write(piece),
    () => once(socket, 'drain'),
    bytes,
  );
  if (slow) {
    const sent = await standstill(() => sending.sent);
    assert.ok(sent < ON_ITS_WAY, `the server could send ${sent} bytes to a client that takes none`);
    await assertHoldsLittle(front);
    exchange.resume();
    await exchange.until(() => exchange.answer.length > bytes / 4);
    exchange.pause();
    await standstill(() => sending.sent);
    await assertHoldsLittle(front);
    exchange.resume();
  }
  const answer = await exchange.end;
  assert.deepEqual([answer.complete, answer.length], [true, bytes]);
  client.leave();
}

async function upload(adapter: Adapter, front: Front, origin: Origin, bytes: number, slow: boolean): Promise<void> {
  const client = await adapter.connect(front.ports[adapter.name] ?? 0);
  const exchange = client.start({ method: 'POST', framing: slow ? 'chunked' : bytes });
  exchange.endure();
  const request: OriginRequest = await origin.request(origin.requests.length + 1);
  request.keepsBody = false;
  if (slow) request.socket.pause();
  const sending = pour(
    (piece) => exchange.write(piece),
    () => exchange.drained(),
    bytes,
  );
  if (slow) {
    const sent = await standstill(() => sending.sent);
    assert.ok(sent < ON_ITS_WAY, `the client could send ${sent} bytes to a server that takes none`);
    await assertHoldsLittle(front);
    request.socket.resume();
    while (request.length < bytes / 4) await once(request.socket, 'data');
    request.socket.pause();
    await standstill(() => sending.sent);
    await assertHoldsLittle(front);
    request.socket.resume();
  }
  await sending.done;
  exchange.finish();
  assert.deepEqual([await request.ended, request.length], [true, bytes]);
  request.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  assert.equal((await exchange.end).complete, true);
  client.leave();
}

for (const engine of ['http1', 'http-proxy-3'] as const) {
  describe(`bodies of 64 MiB through a slow peer, ${engine}`, () => {
    let origin: Origin;
    let front: Front;
    before(async () => {
      origin = await Origin.start(() => {});
      front = await start(engine, origin.url);
      // Buffers, compiled code and garbage of transfers that nobody holds up are there from now on.
      for (const adapter of ADAPTERS.filter(({ name }) => name === 'node:http' || name === 'node:http2')) {
        for (const transfer of [download, upload]) await transfer(adapter, front, origin, BODY, false);
      }
    });
    after(async () => {
      front.end();
      await origin.stop();
    });
    for (const adapter of ADAPTERS) {
      for (const [name, transfer] of Object.entries({ download, upload })) {
        const skip = engine === 'http-proxy-3' && LIKE_NODE_HTTP.has(adapter.name);
        const limit = mayGrow(engine, adapter, name);
        const title = `${adapter.name}: ${name}, grows the process by at most ${limit / MIB} MiB`;
        test(title, { skip: skip && SAME_PATH }, async (t) => {
          await front.ask('rest');
          await transfer(adapter, front, origin, BODY, true);
          const { grown } = await front.ask('report');
          t.diagnostic(`grown by ${(grown / MIB).toFixed(1)} MiB`);
          assert.ok(grown <= limit, `the process grew by ${(grown / MIB).toFixed(1)} MiB`);
        });
      }
    }
  });
}
