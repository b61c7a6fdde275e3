/** The servers behind the proxies where nginx is not installed: `node node-origin.ts PORT …`. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { ANSWERS, PORT_PATH, UPLOAD_ANSWER } from './scenarios.ts';

const bodies = new Map(ANSWERS.map(({ path, bytes }) => [path, Buffer.alloc(bytes, 'x')]));

for (const port of process.argv.slice(2)) {
  const server = createServer({ keepAliveTimeout: 3_600_000 }, (request, response) => {
    const body = request.url === PORT_PATH ? Buffer.from(port) : bodies.get(request.url ?? '');
    if (body !== undefined) {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length });
      response.end(body);
      return;
    }
    let received = 0;
    request.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    request.on('end', () => {
      response.writeHead(200, {
        'content-type': 'text/plain',
        'content-length': UPLOAD_ANSWER.length,
        'x-received': received,
      });
      response.end(UPLOAD_ANSWER);
    });
  });
  await once(server.listen(Number(port), '127.0.0.1'), 'listening');
}
process.on('disconnect', () => process.exit(0));
process.send?.('listening');
