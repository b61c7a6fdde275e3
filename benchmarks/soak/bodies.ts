import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { Findings } from './promises.ts';
import { startProxy } from './proxy-process.ts';

const MEBIBYTE = 1_048_576;
/** architecture: a body may grow the process by this much, whatever its size. */
const MOST_GROWTH_MIB = 16;
const WARM_UP = 2_000;

/** A slow peer rests after every mebibyte, and from time to time long enough for every buffer on the way to fill up. */
const [REST_MS, LONG_REST_MS, LONG_REST_EVERY] = [3, 300, 128];

interface Transfer {
  readonly bytes: number;
  readonly crc: number;
}

/** Bodies far bigger than any buffer, through a peer that is slower than the other: memory must not follow. */
export async function soakBodies(mebibytes: number): Promise<Findings> {
  const found = new Findings(`bodies of ${mebibytes.toLocaleString('en')} MiB through a slow peer`);
  const length = mebibytes * MEBIBYTE;
  let uploaded: Transfer = { bytes: 0, crc: 0 };
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') uploaded = await readSlowly(request);
    const size = Number(request.headers['x-size'] ?? 0);
    response.writeHead(200, request.headers['x-chunked'] ? {} : { 'content-length': size });
    await writeAll(response, size);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const proxy = await startProxy({
    servers: [`http://127.0.0.1:${portOf(server)}`],
    timeout: { server: '10m', client: '10m' },
  });
  try {
    for (let i = 0; i < WARM_UP; i++) (await exchange(proxy.port, 'GET', {})).resume();
    const expected = expectedOf(length);
    const before = await proxy.look();
    for (const chunked of [false, true]) {
      const framing = chunked ? 'chunked' : 'by length';
      for (const direction of ['up', 'down'] as const) {
        await proxy.peak();
        const seen = await (direction === 'up' ? upload(chunked) : download(chunked));
        const most = await proxy.peak();
        found.growth(`${direction}, ${framing}: most resident memory, MiB`, before.rssBytes, most, MOST_GROWTH_MIB);
        const whole = seen.bytes === expected.bytes && seen.crc === expected.crc;
        found.none(`${direction}, ${framing}: bodies not whole`, whole ? [] : [JSON.stringify(seen)]);
      }
    }
    const left = await proxy.look();
    found.atMost('requests and slots not over', 0, left.active, 0);
    found.none('errors and warnings', proxy.faults);
  } finally {
    await proxy.stop();
    server.close().closeAllConnections();
  }
  return found;

  async function upload(chunked: boolean): Promise<Transfer> {
    const answered = exchange(proxy.port, 'POST', chunked ? {} : { 'content-length': length }, length);
    (await answered).resume();
    return uploaded;
  }

  async function download(chunked: boolean): Promise<Transfer> {
    return readSlowly(await exchange(proxy.port, 'GET', { 'x-size': length, ...(chunked && { 'x-chunked': 'yes' }) }));
  }
}

async function exchange(
  port: number,
  method: string,
  headers: Record<string, string | number>,
  length = 0,
): Promise<IncomingMessage> {
  const request = httpRequest({ port, host: '127.0.0.1', method, headers, agent: false });
  const answered = once(request, 'response') as Promise<[IncomingMessage]>;
  await Promise.all([writeAll(request, length), answered]);
  return (await answered)[0];
}

/** Bytes that do not repeat with the size of any buffer. */
const PATTERN = Buffer.from(Uint8Array.from({ length: 65_521 }, (_, i) => (i * 131 + (i >> 8)) & 255));

async function writeAll(stream: Writable, length: number): Promise<void> {
  for (let left = length; left > 0; left -= PATTERN.length) {
    if (!stream.write(left < PATTERN.length ? PATTERN.subarray(0, left) : PATTERN)) await once(stream, 'drain');
  }
  stream.end();
}

function expectedOf(length: number): Transfer {
  let crc = 0;
  for (let left = length; left > 0; left -= PATTERN.length)
    crc = crc32(left < PATTERN.length ? PATTERN.subarray(0, left) : PATTERN, crc);
  return { bytes: length, crc };
}

async function readSlowly(stream: Readable): Promise<Transfer> {
  let bytes = 0;
  let crc = 0;
  let mebibytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    crc = crc32(chunk, crc);
    bytes += chunk.length;
    if (bytes < (mebibytes + 1) * MEBIBYTE) continue;
    mebibytes = Math.floor(bytes / MEBIBYTE);
    await delay(mebibytes % LONG_REST_EVERY === 0 ? LONG_REST_MS : REST_MS);
  }
  return { bytes, crc };
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
