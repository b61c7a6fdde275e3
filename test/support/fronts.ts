import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import connect from 'connect';
import express from 'express';
import express4 from 'express4';
import { fastify } from 'fastify';
import evenkeel from '#src/adapters/fastify.ts';
import type { AttachOptions, MiddlewareOptions, Pool, PoolOptions } from '#src/index.ts';
import type { Client } from './client-exchange.ts';
import { Http2Client } from './http2-client.ts';
import { RawClient } from './raw-client.ts';

/** What carries requests behind the adapter. */
export type EngineName = NonNullable<PoolOptions['engine']>;

/** A middleware in front of the pool or behind it. */
export type Handler = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/** How a pool is plugged in. */
export interface Setting {
  /** Run before the pool gets the request, in order. */
  readonly before?: readonly Handler[];
  /** Where requests go on to when the pool calls `next()`. Default: 404 `nobody`. */
  readonly behind?: Handler;
  /** Path under which the pool is mounted. */
  readonly mount?: string;
  readonly middleware?: MiddlewareOptions;
  readonly attach?: AttachOptions;
  /** Most bytes of a request's head, where clients speak HTTP/1. Default: Node's. */
  readonly maxHeaderSize?: number;
}

/** What an adapter can do; what it cannot is a reason to skip a case. */
export type Ability = 'http1' | 'before' | 'mount' | 'next' | 'errorHandler' | 'checkContinue';

/** One way of plugging a pool into a server. */
export interface Adapter {
  readonly name: string;
  readonly can: ReadonlySet<Ability>;
  listen(pool: Pool, setting: Setting): Promise<Server>;
  connect(port: number): Promise<Client>;
}

/** Why an adapter without this ability skips a case. */
export const WHY_NOT: Readonly<Record<Ability, string>> = {
  http1: 'the case is about the HTTP/1 wire, and its clients speak HTTP/2',
  before: 'takes requests straight from the server: no middleware comes before it',
  mount: 'mounts nothing under a path',
  next: 'has no next middleware',
  errorHandler: 'has no error handler to hand failures to',
  checkContinue: 'only attach hears of Expect before Node has answered it',
};

function nobody(_request: IncomingMessage, response: ServerResponse): void {
  response.statusCode = 404;
  response.end('nobody');
}

/** Frameworks' error handlers have four parameters. Tells the error's code. */
function onError(error: unknown, _request: unknown, response: ServerResponse, _next: unknown): void {
  response.statusCode = 599;
  response.end(String((error as { code?: unknown }).code));
}

/** Runs handlers one after another; the last one is `behind`. */
function chain(handlers: readonly Handler[]): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const step = (index: number, error?: unknown): void => {
      if (error) onError(error, request, response, undefined);
      else handlers[index]?.(request, response, (fault) => step(index + 1, fault));
    };
    step(0);
  };
}

/** As a server's options. */
function limits({ maxHeaderSize }: Setting): { maxHeaderSize?: number } {
  return maxHeaderSize === undefined ? {} : { maxHeaderSize };
}

async function listening(server: Server): Promise<Server> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function poolHandler(pool: Pool, { middleware }: Setting): Handler {
  return pool.middleware(middleware as MiddlewareOptions<IncomingMessage>) as unknown as Handler;
}

const nodeHttp: Adapter = {
  name: 'node:http',
  can: new Set<Ability>(['http1', 'before', 'next', 'errorHandler']),
  listen: (pool, setting) =>
    listening(
      http.createServer(
        limits(setting),
        chain([
          ...(setting.before ?? []),
          poolHandler(pool, setting),
          setting.behind ?? nobody,
        ]) as http.RequestListener,
      ),
    ),
  connect: (port) => RawClient.open(port),
};

const nodeHttpAttach: Adapter = {
  name: 'node:http, attached',
  can: new Set<Ability>(['http1', 'checkContinue']),
  listen: (pool, setting) => {
    const server = http.createServer(limits(setting));
    pool.attach(server, setting.attach);
    return listening(server);
  },
  connect: (port) => RawClient.open(port),
};

const nodeHttp2: Adapter = {
  name: 'node:http2',
  can: new Set<Ability>(['before', 'next', 'errorHandler']),
  listen: (pool, setting) => {
    const handle = chain([...(setting.before ?? []), poolHandler(pool, setting), setting.behind ?? nobody]);
    const server = http2.createServer();
    server.on('request', handle as unknown as (request: http2.Http2ServerRequest) => void);
    return listening(server);
  },
  connect: (port) => Http2Client.open(port),
};

const nodeHttp2Attach: Adapter = {
  name: 'node:http2, attached',
  can: new Set<Ability>(['checkContinue']),
  listen: (pool, { attach }) => {
    const server = http2.createServer();
    pool.attach(server, attach);
    return listening(server);
  },
  connect: (port) => Http2Client.open(port),
};

/** What Express of both versions and Connect have in common. */
interface App {
  use(handler: unknown): unknown;
  use(path: string, handler: unknown): unknown;
}

function framework(name: string, make: () => App & ((request: never, response: never) => unknown)): Adapter {
  return {
    name,
    can: new Set<Ability>(['http1', 'before', 'mount', 'next', 'errorHandler']),
    listen: (pool, setting) => {
      const app = make();
      for (const handler of setting.before ?? []) app.use(handler);
      if (setting.mount === undefined) app.use(poolHandler(pool, setting));
      else app.use(setting.mount, poolHandler(pool, setting));
      app.use(setting.behind ?? nobody);
      app.use(onError);
      return listening(http.createServer(limits(setting), app as unknown as http.RequestListener));
    },
    connect: (port) => RawClient.open(port),
  };
}

const inFastify: Adapter = {
  name: 'Fastify',
  can: new Set<Ability>(['http1', 'before', 'mount', 'errorHandler']),
  listen: async (pool, setting) => {
    const app = fastify({ http: limits(setting) });
    app.setErrorHandler((error, request, reply) => {
      reply.hijack();
      onError(error, request, reply.raw, undefined);
    });
    await app.register(async (scope) => {
      for (const handler of setting.before ?? [])
        scope.addHook('onRequest', (request, reply, done) =>
          handler(request.raw, reply.raw, done as (error?: unknown) => void),
        );
      await scope.register(evenkeel, { pool, prefix: setting.mount ?? '', ...(setting.middleware as object) });
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    return app.server;
  },
  connect: (port) => RawClient.open(port),
};

/** Every adapter there is. */
export const ADAPTERS: readonly Adapter[] = [
  nodeHttp,
  nodeHttpAttach,
  nodeHttp2,
  nodeHttp2Attach,
  framework('Express 5', () => express() as never),
  framework('Express 4', () => express4() as never),
  framework('Connect', () => connect() as never),
  inFastify,
];

/** Sockets of a server's clients, so that they can be ended with it. */
export function trackSockets(server: Server): Set<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
