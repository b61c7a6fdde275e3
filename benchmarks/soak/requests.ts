import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KeepAliveClient } from '../../test/support/keep-alive-client.ts';
import { Findings } from './promises.ts';
import type { Look } from './proxy.ts';
import { startProxy } from './proxy-process.ts';

const CLIENTS = 64;
const SERVERS = 4;
/** Requests until code is compiled and buffers are there. */
const WARM_UP = 60_000;
/** Every so many requests one is a POST; one has its client leave; one has its server close the connection. */
const [POST_EVERY, LEAVE_EVERY, CLOSE_EVERY] = [10, 997, 499];
/** Less than a byte a request is no leak; the heap is never the same twice to a few hundred KiB. */
const HEAP_SLACK_MIB = 1;
const RSS_SLACK_MIB = 16;

const BODY = 'x'.repeat(65);
const GET = 'GET /a/path?q=1 HTTP/1.1\r\nHost: front.test\r\nAccept: */*\r\nUser-Agent: soak\r\n\r\n';
const CLOSE = 'GET /close HTTP/1.1\r\nHost: front.test\r\n\r\n';
const POST = `POST /form HTTP/1.1\r\nHost: front.test\r\nContent-Length: 200\r\n\r\n${'y'.repeat(200)}`;

/** A great many small requests: nothing may grow with their number. */
export async function soakRequests(count: number): Promise<Findings> {
  const found = new Findings(
    `${count.toLocaleString('en')} requests, ${CLIENTS} keep-alive clients, ${SERVERS} servers`,
  );
  const servers = await Promise.all(Array.from({ length: SERVERS }, startServer));
  const proxy = await startProxy({ servers: servers.map(urlOf) });
  try {
    const empty = await proxy.look();
    const clients = Array.from({ length: CLIENTS }, () => new KeepAliveClient(proxy.port));
    await ask(clients, WARM_UP);
    const before = await proxy.look();
    const startedAt = performance.now();
    const faults = await ask(clients, count);
    const seconds = (performance.now() - startedAt) / 1000;
    const after = await proxy.look();
    for (const client of clients) client.leave();
    const closed = await proxy.close();

    found.say('requests carried', before.requests, after.requests);
    found.say('a second', '', Math.round(count / seconds));
    found.none('requests without a whole answer', faults);
    found.growth('heap used, MiB', before.heapBytes, after.heapBytes, HEAP_SLACK_MIB);
    found.growth(
      "resident memory without V8's young generation, MiB",
      before.rssBytes - before.youngBytes,
      after.rssBytes - after.youngBytes,
      RSS_SLACK_MIB,
    );
    found.atMost('connections of clients', before.clientSockets, after.clientSockets, CLIENTS);
    found.atMost('connections to servers', before.serverSockets, after.serverSockets, CLIENTS);
    found.atMost('most listeners on one of them', before.listeners, after.listeners, before.listeners);
    found.atMost('timers of the pool', before.timers, after.timers, SERVERS + 1); // a purge for each server, and the sweep of deadlines
    found.atMost('other resources', others(before), others(after), others(before));
    found.atMost('requests and slots not over', before.active, after.active, 0);
    found.atMost('sockets once the pool is closed', empty.sockets, closed.sockets, empty.sockets);
    found.atMost('timers once the pool is closed', empty.timers, closed.timers, 0);
    found.none('errors and warnings', proxy.faults);
  } finally {
    await proxy.stop();
    for (const server of servers) server.close().closeAllConnections();
  }
  return found;
}

async function ask(clients: readonly KeepAliveClient[], count: number): Promise<string[]> {
  const faults: string[] = [];
  let sent = 0;
  const work = async (client: KeepAliveClient): Promise<void> => {
    while (sent < count) {
      const n = ++sent;
      if (n % LEAVE_EVERY === 0) {
        const reply = client.ask(GET);
        setImmediate(() => client.leave());
        await reply;
        continue;
      }
      const request = n % CLOSE_EVERY === 0 ? CLOSE : n % POST_EVERY === 0 ? POST : GET;
      const { status, body, fault } = await client.ask(request);
      if (status !== 200 || body !== BODY) faults.push(`${n}: ${fault ?? `${status} ${JSON.stringify(body)}`}`);
    }
  };
  await Promise.all(clients.map(work));
  return faults;
}

async function startServer(): Promise<Server> {
  const server = createServer({ keepAliveTimeout: 3_600_000 }, (request, response) => {
    if (request.url === '/close') response.setHeader('connection', 'close');
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': BODY.length });
    response.end(BODY);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function others({ resources }: Look): number {
  return Object.values(resources).reduce((total, count) => total + count, 0);
}
