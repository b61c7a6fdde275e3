import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { Pool, type PoolOptions } from '#src/index.ts';
import { until } from '../support/until.ts';

/** Works a pool, closes it, and has nothing more to do: the process must end without being told to. */

const engine = process.argv[2] as NonNullable<PoolOptions['engine']>;

const server = http.createServer((request, response) => {
  if (request.url === '/answered') response.end('ok');
});
await once(server.listen(0, '127.0.0.1'), 'listening');
const pool = new Pool({
  engine,
  servers: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`],
  defaultServer: { check: true, slowstart: '1h', maxconn: 1, strictMaxconn: true },
  timeout: { queue: '1h', server: '1h' },
});
await pool.ready();
const front = http.createServer();
pool.attach(front);
await once(front.listen(0, '127.0.0.1'), 'listening');
const { port } = front.address() as AddressInfo;

const ask = (path: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () =>
      socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`),
    );
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk) => (text += chunk));
    socket.on('close', () => resolve(text.split('\r\n')[0] ?? ''));
  });

await ask('/answered');
const served = ask('/never');
const queued = ask('/queued');
await until(() => !(pool.stats().queued < 1));
const result = await pool.close({ graceMs: 10 });
process.stdout.write(`closed ${JSON.stringify(result)} ${await served} ${await queued}\n`);
front.close();
server.close();
server.closeAllConnections();
