/**
 * No proxy at all: a node:http server that answers by itself, in the way that costs least (a short answer as a string goes out
 * with its head in one write; a long one is cheaper as a buffer). No middleware of Node.js can cost less.
 */
import { createServer } from 'node:http';
import { ANSWERS, UPLOAD_ANSWER } from '../load/scenarios.ts';
import { host, listening, port } from './child.ts';

const text = (bytes: number): string => 'x'.repeat(bytes);
const bodies = new Map(
  ANSWERS.map(({ path, bytes }) => [path, bytes > 32_768 ? Buffer.from(text(bytes)) : text(bytes)]),
);

const server = createServer((request, response) => {
  const body = bodies.get(request.url ?? '');
  if (body !== undefined) {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length });
    response.end(body, 'latin1');
    return;
  }
  let received = 0;
  request.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  request.on('end', () => {
    response.writeHead(200, { 'content-type': 'text/plain', 'x-received': received });
    response.end(UPLOAD_ANSWER, 'latin1');
  });
});
server.listen(port, host, listening);
