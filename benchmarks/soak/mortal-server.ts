/**
 * A server that is killed and started again: `node mortal-server.ts PORT LOG`. It answers in one write with what follows the
 * last `/` of the target, sometimes a little later, and notes each POST that reaches it: what is in the log outlives it.
 */
import { openSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';

const [port, log = ''] = process.argv.slice(2);
const notes = openSync(log, 'a');
let count = 0;

const server = createServer({ keepAliveTimeout: 3_600_000 }, (request, response) => {
  const id = request.url?.split('/').at(-1) ?? '';
  if (request.method === 'POST') writeSync(notes, `${id}\n`);
  const answer = (): void => {
    response.writeHead(200, { 'content-length': id.length });
    response.end(id);
  };
  request.resume();
  // Every fourth is slow enough to be under way when its server is killed.
  request.on('end', () => (count++ % 4 === 0 ? setTimeout(answer, 5) : answer()));
});
server.listen(Number(port), '127.0.0.1', () => process.send?.('listening'));
process.on('disconnect', () => process.exit(0));
