import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';
import express from 'express';
import fastify from 'fastify';
import evenkeel from '#src/adapters/fastify.ts';
import type { Pool } from '#src/index.ts';

/** A way for upgrades to a pool; `close` ends the server and every connection it has taken. */
export interface UpgradeFront {
  readonly name: string;
  listen(pool: Pool): Promise<{ readonly server: http.Server; readonly close: () => Promise<unknown> }>;
}

function plain(name: string, plug: (pool: Pool) => http.Server): UpgradeFront {
  return {
    name,
    async listen(pool) {
      const server = plug(pool);
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      return { server, close: async () => server.close() };
    },
  };
}

/** Every way there is. */
export const UPGRADE_FRONTS: readonly UpgradeFront[] = [
  plain('attach', (pool) => {
    const server = http.createServer();
    pool.attach(server);
    return server;
  }),
  plain('upgradeHandler', (pool) => http.createServer(pool.middleware()).on('upgrade', pool.upgradeHandler())),
  plain('Express with upgradeHandler', (pool) => {
    const app = express();
    app.use(pool.middleware());
    return http.createServer(app).on('upgrade', pool.upgradeHandler());
  }),
  {
    name: 'Fastify',
    async listen(pool) {
      const app = fastify();
      app.register(evenkeel, { pool });
      await app.listen({ port: 0, host: '127.0.0.1' });
      return { server: app.server, close: () => app.close() };
    },
  },
];

export function frontNamed(name: string): UpgradeFront {
  const front = UPGRADE_FRONTS.find((known) => known.name === name);
  if (!front) throw new Error(`there is no front ${name}`);
  return front;
}

/** A front in use, with the sockets of its clients. */
export interface RunningFront {
  readonly port: number;
  readonly server: http.Server;
  readonly sockets: ReadonlySet<Socket>;
}

/** Starts a front that ends with the test, and the pool with it. */
export async function startFront(t: TestContext, front: UpgradeFront, pool: Pool): Promise<RunningFront> {
  const { server, close } = await front.listen(pool);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await pool.close({ graceMs: 0 });
    await close();
  });
  return { port: (server.address() as AddressInfo).port, server, sockets };
}

/** Starts the shortest way to a pool, for stories that are the same for all of them. */
export function attached(t: TestContext, pool: Pool): Promise<RunningFront> {
  return startFront(t, frontNamed('attach'), pool);
}
