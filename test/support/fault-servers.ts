import type { Socket } from 'node:net';
import type { OriginConnection, OriginRequest } from './origin.ts';

/** A server that misbehaves in one way. */
export interface Fault {
  /** Nothing listens at its address. */
  readonly refuses?: boolean;
  /** At once when a connection is there. */
  readonly accepted?: (socket: Socket, connection: OriginConnection) => void;
  /** When a whole request is there. */
  readonly asked?: (socket: Socket, request: OriginRequest) => void;
}

const BODY = 'hello';
const OK = `HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n${BODY}`;

/** A 200 with these lines in its head. */
function head(...lines: string[]): string {
  return `HTTP/1.1 200 OK\r\n${lines.map((line) => `${line}\r\n`).join('')}`;
}

function lengthy(...lines: string[]): string {
  return `${head(...lines, 'Content-Length: 5')}\r\n${BODY}`;
}

function chunked(body: string, ...lines: string[]): string {
  return `${head(...lines, 'Transfer-Encoding: chunked')}\r\n${body}`;
}

/** Says this and keeps the connection, ends it, or resets it. */
function says(text: string, then: 'keep' | 'end' | 'reset' = 'end'): Fault {
  return {
    asked: (socket) => {
      socket.write(text, 'latin1', () => {
        if (then === 'end') socket.end();
        else if (then === 'reset') reset(socket);
      });
    },
  };
}

/** Resets a connection; one that is ending is destroyed: Node would lose it, and leave it open for ever (24.21: EINVAL). */
export function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

const keeps = (text: string): Fault => says(text, 'keep');

const manyFields = Array.from({ length: 200 }, (_, index) => `X-${index}: v`);

/** Every misbehaving server of `test/fixtures/haproxy-faults.json`, by name. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  ok: keeps(OK),

  refused: { refuses: true },
  'accept-then-reset': { accepted: reset },
  'accept-then-close': { accepted: (socket) => socket.end() },
  'request-then-close': { asked: (socket) => socket.end() },
  'request-then-reset': { asked: reset },
  'no-answer': { asked: () => {} },
  'stall-in-headers': keeps('HTTP/1.1 200 OK\r\nX-A: '),
  'stall-in-body': keeps(`${head('Content-Length: 50')}\r\n${BODY}`),
  'drip-headers': { asked: drip },

  junk: says('garbage\r\n\r\n'),
  'junk-binary': says('\x00\x01\x02\x03\x04\x05\x06\x07\xff\xfe\r\n\r\n'),
  'http-0.9': says('<html>hello</html>'),
  'bad-version': says(`HTTP/3.9 200 OK\r\nContent-Length: 5\r\n\r\n${BODY}`),
  'bad-status-text': says(`HTTP/1.1 abc OK\r\nContent-Length: 5\r\n\r\n${BODY}`),
  'status-099': says(`HTTP/1.1 099 X\r\nContent-Length: 5\r\n\r\n${BODY}`),
  'status-600': keeps(`HTTP/1.1 600 X\r\nContent-Length: 5\r\n\r\n${BODY}`),
  'status-1000': says(`HTTP/1.1 1000 X\r\nContent-Length: 5\r\n\r\n${BODY}`),
  'no-reason': keeps(`HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n${BODY}`),
  'truncated-status-line': says('HTTP/1.1 20'),
  'truncated-headers': says('HTTP/1.1 200 OK\r\nContent-Len'),
  'truncated-headers-reset': says('HTTP/1.1 200 OK\r\nContent-Len', 'reset'),

  'header-no-colon': says(lengthy('Broken header')),
  'header-space-before-colon': keeps(lengthy('X-A : 1')),
  'header-nul': says(lengthy('X-A: a\x00b')),
  'header-bad-name': says(lengthy('X(A: 1')),
  'header-obs-fold': keeps(lengthy('X-A: 1', '  more')),
  'header-latin1': keeps(lengthy('X-A: caf\xe9')),
  'bare-lf': keeps(`HTTP/1.1 200 OK\nContent-Length: 5\n\n${BODY}`),
  'headers-64k': keeps(lengthy(`X-Big: ${'a'.repeat(65_536)}`)),
  'headers-12k': keeps(lengthy(`X-Big: ${'a'.repeat(12_000)}`)),
  'headers-many-200': keeps(lengthy(...manyFields)),

  'cl-letters': says(`${head('Content-Length: abc')}\r\n${BODY}`),
  'cl-negative': says(`${head('Content-Length: -5')}\r\n${BODY}`),
  'cl-plus': says(`${head('Content-Length: +5')}\r\n${BODY}`),
  'cl-twice-same': keeps(`${head('Content-Length: 5', 'Content-Length: 5')}\r\n${BODY}`),
  'cl-twice-differ': says(`${head('Content-Length: 5', 'Content-Length: 6')}\r\n${BODY}`),
  'cl-list-same': keeps(`${head('Content-Length: 5, 5')}\r\n${BODY}`),
  'cl-huge': says(`${head('Content-Length: 99999999999999999999999')}\r\n${BODY}`),
  'cl-and-te': keeps(chunked(`5\r\n${BODY}\r\n0\r\n\r\n`, 'Content-Length: 50')),
  'te-unknown': says(`${head('Transfer-Encoding: gzip')}\r\n${BODY}`),
  'te-chunked-twice': says(chunked(`5\r\n${BODY}\r\n0\r\n\r\n`, 'Transfer-Encoding: chunked')),
  'te-on-http10': says(`HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n${BODY}\r\n0\r\n\r\n`),

  'chunk-bad-size': says(chunked(`zz\r\n${BODY}\r\n0\r\n\r\n`)),
  'chunk-huge-size': says(chunked(`fffffffffffffffff\r\n${BODY}`)),
  'chunk-no-crlf': says(chunked(`5\r\n${BODY}X5\r\n${BODY}\r\n0\r\n\r\n`)),
  'chunk-extension': keeps(chunked(`5;a=b\r\n${BODY}\r\n0\r\n\r\n`)),
  'chunk-trailers': keeps(
    `${head('Transfer-Encoding: chunked', 'Trailer: X-T')}\r\n5\r\n${BODY}\r\n0\r\nX-T: 1\r\n\r\n`,
  ),
  'chunk-truncated': says(chunked(`a\r\n${BODY}`)),
  'chunk-missing-last': says(chunked(`5\r\n${BODY}\r\n`)),

  'body-truncated': says(`${head('Content-Length: 50')}\r\n${BODY}`),
  'body-truncated-reset': says(`${head('Content-Length: 50')}\r\n${BODY}`, 'reset'),
  'body-excess': keeps(`${OK}EXTRA`),
  'body-excess-response': keeps(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`),
  'close-delimited-10': says(`HTTP/1.0 200 OK\r\n\r\n${BODY}`),
  'close-delimited-11': says(`HTTP/1.1 200 OK\r\n\r\n${BODY}`),

  'status-204': keeps('HTTP/1.1 204 No Content\r\n\r\n'),
  'status-204-with-body': keeps(`HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n${BODY}`),
  'status-304-with-cl': keeps('HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "a"\r\n\r\n'),
  'status-500': keeps('HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\nerror'),
  'status-503': keeps('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nerror'),

  'early-hints-103': keeps(`HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n${OK}`),
  'continue-100': keeps(`HTTP/1.1 100 Continue\r\n\r\n${OK}`),
  'processing-102-many': keeps('HTTP/1.1 102 Processing\r\n\r\n'.repeat(20) + OK),
  'switching-101-unasked': says('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'),
  'only-100': says('HTTP/1.1 100 Continue\r\n\r\n'),

  'hop-by-hop': keeps(
    lengthy(
      ...['Connection: keep-alive, X-Secret', 'X-Secret: 1', 'Keep-Alive: timeout=5', 'Proxy-Authenticate: Basic'],
    ),
  ),

  'early-response-to-post': {
    accepted: (socket) => {
      socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      setTimeout(() => socket.end(), 20);
    },
  },

  'close-on-reuse': { asked: (socket, { nth }) => (nth === 1 ? socket.write(OK) : socket.end()) },
  'reset-on-reuse': { asked: (socket, { nth }) => (nth === 1 ? socket.write(OK) : reset(socket)) },
  'close-after-idle': { asked: (socket) => answerAndEnd(socket, OK, 5) },
  'keep-alive-header-close': { asked: (socket) => answerAndEnd(socket, lengthy('Connection: close'), 1) },
  'fail-first-2': {
    asked: (socket, { connection }) => (connection.nth <= 2 ? socket.end() : socket.write(OK)),
  },
  'refuse-first-2-resets': {
    accepted: (socket, { nth }) => {
      if (nth <= 2) reset(socket);
    },
    asked: (socket, { connection }) => connection.nth > 2 && socket.write(OK),
  },
};

function answerAndEnd(socket: Socket, answer: string, ms: number): void {
  socket.write(answer);
  setTimeout(() => socket.end(), ms);
}

/** A byte every 2 ms, and when it was late the bytes that were due. */
function drip(socket: Socket): void {
  const start = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = Math.min(OK.length, Math.floor((performance.now() - start) / 2));
    if (due > sent && !socket.destroyed) socket.write(OK.slice(sent, due));
    sent = due;
    if (sent === OK.length || socket.destroyed) clearInterval(timer);
  }, 2);
}
