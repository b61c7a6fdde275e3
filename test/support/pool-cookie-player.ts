import { once } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { systemEnvironment } from '#src/core/environment.ts';
import { Pool, type PoolOptions, type RequestEvent } from '#src/index.ts';
import { type CookieOrigin, fieldsOf } from './cookie-origin.ts';
import {
  answeredBy,
  type CookieOutcome,
  digested,
  expanded,
  type RecordedCookies,
  type RecordedRequest,
} from './cookie-record.ts';

/** Plays a recorded scenario over sockets: raw requests, a pool behind node:http, servers that keep what they are sent. */
export class PoolCookiePlayer {
  readonly #origin: CookieOrigin;
  readonly #pool: Pool;
  readonly #front: HttpServer;
  #now = 0;
  #next = 0;
  #answered: string | undefined;
  #ended: (event: RequestEvent) => void = () => {};

  private constructor(scenario: RecordedCookies, origin: CookieOrigin, folder: string) {
    this.#origin = origin;
    const environment = { ...systemEnvironment, unixMs: () => this.#now * 1000 };
    const { servers = [], ...options } = optionsOf(scenario, folder);
    // HAProxy takes a cookie that no server has a value for; a pool knows that only of servers that it is made with.
    this.#pool = new Pool(options, environment);
    for (const server of servers) this.#pool.addServer(server);
    for (const { name, state } of scenario.servers) {
      if (state === 'down') this.#pool.server(name).setHealth('down');
      else if (state === 'maint' || state === 'drain') this.#pool.server(name).setState(state);
    }
    this.#pool.on('request', (event) => this.#ended(event));
    this.#front = createHttpServer({ maxHeaderSize: 262_144 }, this.#pool.middleware());
  }

  /** @param folder where the origin listens at the socket `origin`, and nobody at `nobody` */
  static async start(scenario: RecordedCookies, origin: CookieOrigin, folder: string): Promise<PoolCookiePlayer> {
    const player = new PoolCookiePlayer(scenario, origin, folder);
    player.#front.listen(0, '127.0.0.1');
    await once(player.#front, 'listening');
    return player;
  }

  async play(request: RecordedRequest): Promise<CookieOutcome> {
    const { method = 'GET', persist = '', use = '', status = 200 } = request;
    this.#now = request.expect.now;
    const id = `r${this.#next++}`;
    const answer = (request.answer ?? []).map(([name, value]) => [name, expanded(value, this.#now)] as const);
    const seen = this.#origin.expect(id, status, answer);
    const fields = ['host: x', `x-id: ${id}`, `x-persist: ${persist}`, `x-use: ${use}`, 'connection: close'];
    if (method === 'POST') fields.push('content-length: 0');
    fields.push(...(request.cookies ?? []).map((value) => `cookie: ${expanded(value, this.#now, this.#answered)}`));
    const ended = new Promise<RequestEvent>((resolve) => {
      this.#ended = resolve;
    });
    const socket = connect((this.#front.address() as AddressInfo).port, '127.0.0.1').setEncoding('latin1');
    socket.write(`${method} / HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`, 'latin1');
    let text = '';
    for await (const piece of socket) text += piece;
    const { server, redispatched, flags, cookieFlags } = await ended;
    const head = fieldsOf(text);
    const setCookie = head.values('set-cookie');
    const location = head.values('location')[0];
    this.#answered = answeredBy(setCookie) ?? this.#answered;
    return {
      now: this.#now,
      server: seen.asked ? (server ?? null) : null,
      ...(redispatched && { redispatched }),
      status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]),
      cookies: seen.cookies.map(digested),
      setCookie: setCookie.map(digested),
      cacheControl: head.values('cache-control'),
      ...(location !== undefined && { location }),
      flags: `${flags}${cookieFlags}`,
    };
  }

  async stop(): Promise<void> {
    this.#front.close();
    await this.#pool.close({ graceMs: 0 });
  }
}

function optionsOf({ cookie, backend = [], servers }: RecordedCookies, folder: string): PoolOptions {
  const dynamicCookieKey = backend.find((line) => line.startsWith('dynamic-cookie-key '))?.split(' ')[1];
  return {
    ...(cookie !== undefined && { cookie }),
    ...(dynamicCookieKey !== undefined && { dynamicCookieKey }),
    servers: servers.map(({ name, cookie: value, weight, backup, redir, state, address }) => ({
      name,
      address: address ?? `unix:${folder}/${state === 'refusing' || state === 'down' ? 'nobody' : 'origin'}`,
      ...(cookie !== undefined && value !== undefined && { cookie: value }),
      ...(weight !== undefined && { weight }),
      ...(backup && { backup }),
      ...(redir !== undefined && { redir }),
    })),
    persist: backend.includes('option persist'),
    checkcache: backend.includes('option checkcache'),
    redispatch: backend.includes('option redispatch'),
    retries: backend.includes('retries 1') ? 1 : 3,
    timeout: { connect: 150, queue: 20 },
    useServer: ({ headers }) => String(headers?.['x-use'] ?? '') || undefined,
    forcePersist: ({ headers }) => headers?.['x-persist'] === 'force',
    ...(cookie !== undefined && { ignorePersist: ({ headers }) => headers?.['x-persist'] === 'ignore' }),
  };
}
