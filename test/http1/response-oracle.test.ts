import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import net from 'node:net';
import { test } from 'node:test';
import { mayBeTrailer } from '#src/http1/response-head.ts';
import { seededRandom } from '../support/virtual-clock.ts';
import { type ReadResponse, readResponse } from './read-response.ts';

const RUNS = 2_000;
const IN_FLIGHT = 16;

const OK = 'HTTP/1.1 200 OK\r\n';

/** What is changed at random. */
const MESSAGES: readonly string[] = [
  `${OK}Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello`,
  `${OK}Content-Length: 5\r\nConnection: close\r\nX-A: 1\r\n\r\nhello`,
  `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n`,
  `${OK}Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n1\r\na\r\n0\r\nX-Sum: 9\r\nX-B:\r\n\r\n`,
  `${OK}X-A: b \t\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nETag: "\x80"\r\n\r\nuntil the end`,
  'HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello',
  'HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone',
  `${OK}Connection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n`,
];

const PIECES: readonly string[] = [
  ...[
    '\r\n',
    '\n',
    '\r',
    '\0',
    ':',
    ' ',
    '\t',
    ',',
    ';',
    '0',
    '1',
    'a',
    'f',
    '-',
    '+',
    '"',
    '\x80',
    '\r\n ',
    '\r\n\r\n',
    '0\r\n\r\n',
  ],
  ...[
    'Content-Length: 5\r\n',
    'Content-Length: 4\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Transfer-Encoding: gzip, chunked\r\n',
  ],
  ...[
    'Connection: close\r\n',
    'Connection: content-length, transfer-encoding\r\n',
    'Upgrade: x\r\n',
    'chunked',
    'HTTP/1.1 ',
    'HTTP/1.1 100 Continue\r\n\r\n',
  ],
];

function mutant(random: () => number): string {
  const any = (list: readonly string[]): string => list[Math.floor(random() * list.length)] ?? '';
  let text = any(MESSAGES);
  for (let changes = Math.ceil(random() * 3); changes > 0; changes--) {
    const at = Math.floor(random() * (text.length + 1));
    const end = at + Math.floor(random() * 4);
    switch (Math.floor(random() * 6)) {
      case 0:
        text = text.slice(0, at) + text.slice(end); // lost
        break;
      case 1:
        text = text.slice(0, at) + any(PIECES) + text.slice(at); // put in
        break;
      case 2:
        text = text.slice(0, at) + any(PIECES) + text.slice(end); // put in place of
        break;
      case 3:
        text = text.slice(0, end) + text.slice(at); // repeated
        break;
      case 4:
        text = text.slice(0, at) + String.fromCharCode(Math.floor(random() * 256)) + text.slice(at + 1);
        break;
      case 5: {
        const line = text.indexOf('\r\n', at) + 2; // a line put in
        text = text.slice(0, line) + any(PIECES) + text.slice(line);
      }
    }
  }
  return text;
}

/** What a client of Node's makes of it. */
interface NodesView {
  readonly status: number;
  readonly interim: readonly number[];
  readonly rawHeaders: readonly string[];
  readonly body: string;
  readonly rawTrailers: readonly string[];
  /** The message was whole; else why not. */
  readonly end: string;
}

async function nodesView(port: number, method: string, index: number): Promise<NodesView> {
  const interim: number[] = [];
  const sent = request({ port, host: '127.0.0.1', method, path: `/${index}`, agent: false });
  sent.on('information', ({ statusCode }) => interim.push(statusCode));
  sent.end();
  const nothing = { status: 0, interim, rawHeaders: [], body: '', rawTrailers: [] };
  return new Promise((resolve) => {
    sent.on('error', (error: NodeJS.ErrnoException) => resolve({ ...nothing, end: error.code ?? error.message }));
    sent.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ ...nothing, status: response.statusCode ?? 0, end: 'upgrade' });
    });
    sent.on('response', async (response: IncomingMessage) => {
      const { statusCode: status = 0, rawHeaders } = response;
      let body = '';
      response.setEncoding('latin1');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('error', (error: NodeJS.ErrnoException) =>
        resolve({ status, interim, rawHeaders, body, rawTrailers: [], end: error.code ?? error.message }),
      );
      response.on('end', () =>
        resolve({ status, interim, rawHeaders, body, rawTrailers: response.rawTrailers, end: 'complete' }),
      );
    });
  });
}

const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
];

/** Of the fields that Node saw those which go on to a client. */
function endToEnd({ rawHeaders, status }: NodesView, chunked: boolean): string[] {
  const pairs = Array.from(
    { length: rawHeaders.length / 2 },
    (_, i) => [rawHeaders[2 * i] ?? '', rawHeaders[2 * i + 1] ?? ''] as const,
  );
  const dropped = new Set(HOP_BY_HOP);
  for (const [name, value] of pairs)
    if (name.toLowerCase() === 'connection')
      for (const option of value.toLowerCase().split(',')) dropped.add(option.trim());
  dropped.delete('content-length');
  if (status === 204) dropped.add('content-length');
  if (!chunked) dropped.add('trailer');
  return pairs.filter(([name]) => !dropped.has(name.toLowerCase())).flat();
}

function differences(ours: ReadResponse, node: NodesView): string[] {
  const differs: string[] = [];
  const compare = (what: string, a: unknown, b: unknown): void => {
    if (JSON.stringify(a) !== JSON.stringify(b))
      differs.push(`${what}: ours ${JSON.stringify(a)}, Node's ${JSON.stringify(b)}`);
  };
  compare('end', ours.end, node.end);
  compare('status', ours.head?.status, node.status);
  compare('interim', ours.interim, node.interim);
  compare('headers', ours.head?.headers, endToEnd(node, ours.head?.bodyKind === 'chunked'));
  compare('body', ours.body, node.body);
  compare(
    'trailers',
    ours.trailers,
    node.rawTrailers.filter((_, i, all) => mayBeTrailer(all[i - (i % 2)] ?? '')),
  );
  return differs;
}

/** Where we accept what Node refuses: what it objects to is not passed on, and changes no framing. */
function isKnown(text: string, { head, interim }: ReadResponse, { end }: NodesView): boolean {
  if (end === 'HPE_UNEXPECTED_CONTENT_LENGTH') return true; // equal lengths are one: RFC 9110 §8.6
  if (end === 'HPE_INVALID_CONTENT_LENGTH') return head?.bodyKind === 'chunked'; // a length in the trailers
  if (end === 'HPE_CLOSED_CONNECTION') return interim.length > 0; // Connection: close in an interim response
  // llhttp takes a tab behind `chunked` for a part of the word.
  if (/\r\ntransfer-encoding:[^\r]*\t[^\r]*\r\n/i.test(text)) return true;
  return end === 'HPE_STRICT' && /\r\n[0-9a-f]+;/i.test(text); // the letters of a chunk's extension
}

test('nothing that we accept looks different to Node’s own parser', async () => {
  const random = seededRandom(20_260_821);
  const mutants = Array.from({ length: RUNS }, () => ({
    text: mutant(random),
    method: random() < 0.1 ? 'HEAD' : 'GET',
    cut: random(),
  }));
  /** What Node is given: the bytes that we took for the response. Behind them we close the connection, and so does the server. */
  const sent: Buffer[] = [];
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (head) => {
      const index = Number(/\/(\d+) /.exec(head.toString('latin1'))?.[1]);
      socket.end(sent[index] ?? '');
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as net.AddressInfo;

  let accepted = 0;
  const found: string[] = [];
  const indices = mutants.keys();
  const work = async (): Promise<void> => {
    for (const index of indices) {
      const { text, method, cut } = mutants[index] ?? { text: '', method: 'GET', cut: 0 };
      const bytes = Buffer.from(text, 'latin1');
      const at = Math.floor(cut * bytes.length);
      const ours = readResponse(at === 0 ? [bytes] : [bytes.subarray(0, at), bytes.subarray(at)], method);
      if (ours.end !== 'complete') continue; // to be stricter is our right
      accepted++;
      sent[index] = bytes.subarray(0, ours.used);
      const node = await nodesView(port, method, index);
      const differs = differences(ours, node);
      if (differs.length > 0 && !isKnown(text, ours, node))
        found.push(`${method} ${JSON.stringify(text)}\n  ${differs.join('\n  ')}`);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
  server.close();
  assert.ok(accepted > RUNS / 5, `only ${accepted} were accepted: that proves little`);
  assert.equal(found.length, 0, found.slice(0, 10).join('\n'));
});
