import { type IncomingMessage, METHODS } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { systemEnvironment, type Timer } from '../core/environment.ts';
import { ConfigError, type EvenkeelError } from '../core/errors.ts';
import { type Arrival, type RequestHandler, requestHandlers } from '../core/exchange.ts';
import { OptionReader } from '../core/options.ts';
import { Pool, type PoolOptions } from '../index.ts';
import { ServerUpgrades, upgradeOf } from './fastify-upgrades.ts';
import { MountPath, type RouterRules } from './mount-path.ts';
import { rewritten } from './node-http.ts';

/** How a pool is mounted in a Fastify application. Fastify's own `prefix`, `logLevel` and `logSerializers` may stand beside. */
export interface FastifyMountOptions {
  /** Sends the target without `prefix`. Default: true. */
  readonly stripPrefix?: boolean;
  /** Gives the target to send from the one that would be sent. */
  readonly rewriteUrl?: (url: string, request: FastifyRequest) => string;
  /** `next` hands every failure to Fastify's error handler, as an `EvenkeelError`. Default: `answer`. */
  readonly errorHandler?: 'answer' | 'next';
  /** How long upgraded connections may outlast `fastify.close()`, in milliseconds. Default: 10000. */
  readonly graceMs?: number;
}

/** Options of the plugin: a pool, which stays open when Fastify closes, or the options of one that closes with it. */
export type FastifyOptions = FastifyMountOptions &
  ({ readonly pool: Pool<FastifyRequest> | Pool } | (PoolOptions<FastifyRequest> & { readonly pool?: undefined }));

const GRACE_MS = 10_000;

const MOUNT_OPTIONS = ['pool', 'stripPrefix', 'rewriteUrl', 'errorHandler', 'graceMs'] as const;

/** `fastify.register` reads these; they reach a plugin all the same. */
const REGISTER_OPTIONS = ['prefix', 'logLevel', 'logSerializers'] as const;

/** Options that other adapters have, and what takes their place. */
const NOT_SUPPORTED: Readonly<Record<string, string>> = {
  onUnavailable:
    "not supported: Fastify has no next middleware; errorHandler: 'next' gives the error to its error handler",
  authorize: "not supported: the scope's onRequest and preHandler hooks decide who gets in, upgrades included",
  path: "not supported: Fastify's prefix says where the pool is mounted",
};

interface Mounted {
  readonly pool: Pool<never>;
  readonly ownsPool: boolean;
  readonly stripPrefix: boolean;
  readonly rewriteUrl: ((url: string, request: unknown) => string) | undefined;
  readonly errorHandler: 'answer' | 'next';
  readonly graceMs: number;
}

/**
 * Mounts a pool at `prefix` and everything below it, for every method, in a scope of its own.
 *
 * Bodies are streamed and never parsed. The scope's `onRequest`, `preParsing`, `preValidation`, `preHandler` and `onResponse`
 * hooks run, for upgrades too but for `onResponse` of one that succeeds; `preSerialization` and `onSend` do not, as the reply
 * is hijacked. Fields that `reply.header()` has set before are part of the answer. Functions of yours get the
 * `FastifyRequest` as `context.request`.
 *
 * @example
 * fastify.register(evenkeel, { pool, prefix: '/api' })
 * fastify.register(evenkeel, { servers: ['http://127.0.0.1:3001'], prefix: '/api' })
 * @throws {ConfigError} (by `fastify.ready()`) that lists every fault
 */
const evenkeel: FastifyPluginAsync<FastifyOptions> = async (fastify, options) => {
  const mounted = readOptions(options);
  const { stripPrefix } = mounted;
  const handler = requestHandlers.get(mounted.pool) as RequestHandler;
  const mount = new MountPath(fastify.prefix, routerRules(fastify));
  const tunnels = new Set<Duplex>();

  leaveBodiesUnread(fastify);
  mountRoutes(fastify, (request, reply) => {
    const { raw } = request;
    restoreContentType(raw);
    handOverBody(request);
    // A hook may have set fields on Fastify's request alone.
    if (request.headers !== raw.headers) Object.assign(raw.headers, request.headers);
    const earlier = reply.getHeaders();
    for (const name in earlier) {
      const value = earlier[name];
      if (value !== undefined) reply.raw.setHeader(name, value);
    }
    const url = raw.url ?? '/';
    const stripped = stripPrefix ? mount.strip(url) : url;
    const upgrade = upgradeOf(raw);
    if (upgrade) track(tunnels, upgrade.socket);
    const arrival: Arrival = {
      target: mounted.rewriteUrl ? rewritten(handler, mounted.rewriteUrl, stripped, request) : stripped,
      frameworkRequest: request,
      expectContinue: false,
      decline: mounted.errorHandler === 'next' ? (error) => handOverError(reply, error) : undefined,
      upgrade,
    };
    // Fastify's time limits end with the hijack; a reply that may still have to send an error stays free itself.
    const hijacked = mounted.errorHandler === 'next' ? (Object.create(reply) as FastifyReply) : reply;
    hijacked.hijack();
    try {
      handler.handle(raw, reply.raw, arrival);
    } catch (error) {
      request.log.error(error);
      reply.raw.destroy(); // Fastify answers nothing behind a hijack
    }
  });

  const upgrades = ServerUpgrades.of(fastify.server, fastify.routing);
  upgrades.add(mount);
  let cutting: Timer | undefined;
  fastify.addHook('preClose', (done) => {
    // Node's server waits for its sockets, and knows nothing of these.
    const cut = (): void => {
      for (const socket of tunnels) socket.destroy();
    };
    cutting = systemEnvironment.setTimer(cut, mounted.graceMs, true);
    done();
  });
  fastify.addHook('onClose', async () => {
    cutting?.cancel();
    upgrades.remove(mount);
    if (mounted.ownsPool) await mounted.pool.close({ graceMs: mounted.graceMs });
  });
};

Object.assign(evenkeel, {
  [Symbol.for('fastify.display-name')]: 'evenkeel',
  [Symbol.for('plugin-meta')]: { name: 'evenkeel', fastify: '5.x' },
});

export default evenkeel;

function readOptions(options: FastifyOptions): Mounted {
  const given = { ...options } as Record<string, unknown>;
  const { pool } = options;
  const read = new OptionReader(given, '');
  for (const key of REGISTER_OPTIONS) read.any(key);
  read.notSupported(NOT_SUPPORTED);
  const settings = {
    stripPrefix: read.boolean('stripPrefix', { default: true }),
    rewriteUrl: read.function<(url: string, request: unknown) => string>('rewriteUrl'),
    errorHandler: read.oneOf('errorHandler', ['answer', 'next'], { default: 'answer' }),
    graceMs: read.integer('graceMs', { default: GRACE_MS }),
  };
  read.any('pool');
  if (pool === undefined) {
    for (const key of [...MOUNT_OPTIONS, ...REGISTER_OPTIONS, ...Object.keys(NOT_SUPPORTED)]) delete given[key];
    return { ...settings, pool: makePool(given, read), ownsPool: true };
  }
  if (!requestHandlers.has(pool)) read.reject('pool', 'is not a Pool');
  read.rejectUnknown();
  read.throwFaults();
  return { ...settings, pool, ownsPool: false };
}

/** A pool from its options; all faults, of the mount and of the pool, are thrown as one. */
function makePool(options: PoolOptions<FastifyRequest>, read: OptionReader): Pool<never> {
  let pool: Pool<FastifyRequest> | undefined;
  try {
    pool = new Pool(options);
    read.throwFaults();
    return pool;
  } catch (error) {
    void pool?.close();
    if (pool || !(error instanceof ConfigError)) throw error;
    throw new ConfigError([...read.faults, ...error.faults]);
  }
}

/** Every method that Node's parser knows, but for CONNECT, which is no request to a path. */
function mountRoutes(fastify: FastifyInstance, handler: (request: FastifyRequest, reply: FastifyReply) => void): void {
  const known = new Set(fastify.supportedMethods);
  for (const name of METHODS) if (!known.has(name) && name !== 'CONNECT') fastify.addHttpMethod(name);
  const method = fastify.supportedMethods.filter((name) => name !== 'CONNECT');
  const { prefix } = fastify;
  for (const url of prefix === '' || prefix.endsWith('/') ? ['*'] : ['', '/*'])
    fastify.route({ method, url, exposeHeadRoute: false, handler });
}

/** What Fastify takes for a media type; any other it refuses before a parser is asked. */
const MEDIA_TYPE = /^\s*[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(?:;|$)/;

/** Content types that Fastify was not shown. */
const hiddenTypes = new WeakMap<IncomingMessage, string>();

/** The one parser leaves the body where it is, for the pool to read. */
function leaveBodiesUnread(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', (request, _payload, done) => {
    restoreContentType(request.raw);
    done(null);
  });
  fastify.addHook('preParsing', ({ raw }, _reply, payload, done) => {
    const type = raw.headers['content-type'];
    if (type !== undefined && !MEDIA_TYPE.test(type)) {
      hiddenTypes.set(raw, type);
      delete raw.headers['content-type'];
    }
    done(null, payload);
  });
}

function restoreContentType(raw: IncomingMessage): void {
  const type = hiddenTypes.get(raw);
  if (type !== undefined) raw.headers['content-type'] ??= type;
}

/** A body that a hook has read after all is sent from what it left, which the pool looks for on Node's request. */
function handOverBody(request: FastifyRequest & { readonly rawBody?: unknown }): void {
  const raw: IncomingMessage & { body?: unknown; rawBody?: unknown } = request.raw;
  if (!raw.readableDidRead) return;
  raw.body ??= request.body;
  raw.rawBody ??= request.rawBody;
}

/** Gives a failure to Fastify's error handler; `false` when it is too late. */
function handOverError(reply: FastifyReply, error: EvenkeelError): boolean {
  if (reply.sent || reply.raw.headersSent || reply.raw.destroyed) return false;
  reply.send(error);
  return true;
}

function track(sockets: Set<Duplex>, socket: Duplex): void {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
}

function routerRules({ initialConfig }: FastifyInstance): RouterRules {
  const { caseSensitive = true, useSemicolonDelimiter = false } = { ...initialConfig, ...initialConfig.routerOptions };
  return { caseSensitive, semicolonEndsPath: useSemicolonDelimiter };
}
