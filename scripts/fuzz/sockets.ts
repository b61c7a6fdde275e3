import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import net, { type AddressInfo, type Server } from 'node:net';
import { Pool } from '#src/index.ts';
import { type ReadResponse, readResponse } from '../../test/http1/read-response.ts';
import type { Answer } from '../../test/support/client-exchange.ts';
import { RawClient } from '../../test/support/raw-client.ts';
import { type Input, inputOf } from './inputs.ts';
import { readAsNodeClient } from './node-client.ts';
import { inPieces } from './response-check.ts';
import { report } from './run.ts';

/** Requests under way at one time. */
const AT_ONCE = 16;

type ResponseInput = Extract<Input, { kind: 'response' }>;

/** What a sample has shown. */
export interface Sample {
  readonly inputs: number;
  readonly accepted: number;
  readonly faults: readonly string[];
}

/**
 * Sends responses over real sockets: from a bare server through a pool to a bare client, and to a client of Node's own. The
 * first must see what the parser makes of them, or a 502 or a cut; the second, what the oracle says that it sees.
 */
export async function sampleOverSockets(seed: number, inputs: number): Promise<Sample> {
  const responses = new Map<number, ResponseInput>();
  for (let index = 0; responses.size < inputs; index++) {
    const input = inputOf(seed, index);
    if (input.kind === 'response') responses.set(index, input);
  }
  const server = await listen(net.createServer((socket) => serve(socket, responses)));
  const servers = [`http://127.0.0.1:${portOf(server)}`];
  // What a server says behind one response, late, would be taken for the next: no connection serves twice.
  const pool = new Pool({ servers, retries: 0, httpReuse: 'never', timeout: { server: 5_000 } });
  const front = await listen(http.createServer(pool.middleware()));
  const faults: string[] = [];
  let accepted = 0;
  const left = responses.entries();
  const work = async (): Promise<void> => {
    let client: RawClient | undefined;
    for (const [index, input] of left) {
      client = client && !client.socket.destroyed ? client : await RawClient.open(portOf(front));
      const { method, text } = input;
      const ours = readResponse([Buffer.from(text, 'latin1')], method);
      const answer = await client.send({ method, path: `/${index}` });
      if (answer.ended !== 'complete') client.leave();
      let fault = whatIsWrong(answer, ours);
      if (ours.end === 'complete' && ours.head?.status !== 101) {
        accepted++;
        fault ??= await whatNodeSeesOtherwise(portOf(server), index, input, ours.used);
      }
      if (fault !== undefined) faults.push(report(seed, index, input, `over sockets: ${fault}`));
    }
    client?.leave();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  await pool.close({ graceMs: 1_000 });
  front.closeAllConnections();
  front.close();
  server.close();
  return { inputs, accepted, faults };
}

/** Says what is asked for: whole at `/<index>`, piece by piece at times; up to a byte at `/<index>/<end>`. */
function serve(socket: net.Socket, responses: ReadonlyMap<number, ResponseInput>): void {
  socket.on('error', () => {});
  socket.setNoDelay();
  socket.once('data', (head) => {
    const [, index = '', end] = /^[A-Z]+ \/(\d+)(?:\/(\d+))? /.exec(head.toString('latin1')) ?? [];
    const { text = '', cuts = [] } = responses.get(Number(index)) ?? {};
    const bytes = Buffer.from(text, 'latin1');
    if (end !== undefined) {
      socket.end(bytes.subarray(0, Number(end)));
      return;
    }
    const pieces = inPieces(bytes, cuts);
    const next = (): void => {
      const piece = pieces.shift();
      if (piece === undefined || socket.destroyed) socket.end();
      else socket.write(piece, () => setImmediate(next));
    };
    next();
  });
}

/** Whether the pool's client has seen what the parser has read, a 502, or a cut. */
function whatIsWrong(answer: Answer, { head, body, trailers, end }: ReadResponse): string | undefined {
  const seen = `${answer.status} ${answer.ended}`;
  if (answer.ended === 'junk' || answer.ended === 'hang') return `the client has seen ${seen}`;
  if (end !== 'complete' || head === undefined || head.status === 101)
    return answer.ended === 'complete' && answer.status !== 502
      ? `${end}, and yet the client has seen ${seen}`
      : undefined;
  if (answer.ended !== 'complete') return `whole, and yet the client has seen ${seen}`;
  const lines = comparable(answer.fields.flat(), head.headers);
  const wanted = comparable(head.headers, head.headers);
  const [got, expected] = [
    [answer.status, lines, answer.body, head.bodyKind === 'chunked' ? answer.trailers.flat() : []],
    [head.status, wanted, body, trailers],
  ].map((view) => JSON.stringify(view));
  return got === expected ? undefined : `the client has seen ${got}, not ${expected}`;
}

/** Fields that Node's server does not add by itself: framing, and a Date where there is none. */
function comparable(fields: readonly string[], given: readonly string[]): string[] {
  const names = new Set(given.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()));
  return fields.filter((_, i) => {
    const name = (fields[i - (i % 2)] ?? '').toLowerCase();
    if (name === 'connection' || name === 'keep-alive' || name === 'transfer-encoding') return false;
    return names.has(name) || (name !== 'date' && name !== 'content-length');
  });
}

/** Whether a client of Node's makes of these bytes what the oracle says that it does. */
async function whatNodeSeesOtherwise(
  port: number,
  index: number,
  { method, text }: ResponseInput,
  end: number,
): Promise<string | undefined> {
  const oracle = readAsNodeClient([Buffer.from(text.slice(0, end), 'latin1')], method);
  const seen = await seenByNode(port, method, `/${index}/${end}`);
  if (oracle.end !== 'complete')
    return seen === undefined ? undefined : `Node's client takes for whole what its oracle does not`;
  const { status, rawHeaders, body, rawTrailers } = oracle;
  const expected = JSON.stringify([status, rawHeaders, body, rawTrailers]);
  return seen === expected ? undefined : `Node's client has seen ${seen}, its oracle ${expected}`;
}

/** `undefined`: no whole response. */
function seenByNode(port: number, method: string, path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = http.request({ port, host: '127.0.0.1', method, path, agent: false });
    request.on('error', () => resolve(undefined));
    request.on('response', (response: IncomingMessage) => {
      let body = '';
      response.setEncoding('latin1');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('error', () => resolve(undefined));
      response.on('end', () =>
        resolve(JSON.stringify([response.statusCode, response.rawHeaders, body, response.rawTrailers])),
      );
    });
    request.end();
  });
}

async function listen<S extends Server>(server: S): Promise<S> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
