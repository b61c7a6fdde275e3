import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import { serverName } from '../connections/dial.ts';
import { ConfigError } from '../core/errors.ts';
import { clientHost } from '../http1/request-head.ts';
import type { Attempt, Endpoint, Forwarder, HttpExchange, OutcomeSink } from './forwarder.ts';
import { type Route, routeTo } from './http-proxy-agent.ts';
import { HttpProxyAttempt, type HttpProxyParts } from './http-proxy-attempt.ts';
import type { Carry } from './http-proxy-call.ts';
import { HttpProxyConnection } from './http-proxy-connection.ts';
import { HttpProxyEvents } from './http-proxy-events.ts';
import type { HttpProxySettings } from './http-proxy-options.ts';
import type { RequestStandIn } from './http-proxy-request.ts';
import type { EngineParts } from './http1-engine.ts';
import { connectionKey, takeKept } from './kept-connection.ts';

const require = createRequire(import.meta.url);

/**
 * Carries requests with http-proxy-3, for its options and events: the pool's servers, connections, time limits and answers
 * are the same as with the default engine. Three times as slow, since Node's own HTTP client is beneath it.
 */
export class HttpProxyEngine implements Forwarder {
  readonly #parts: HttpProxyParts;
  readonly #routes = new WeakMap<Endpoint, Route>();

  /**
   * @param report is told of listeners that throw
   * @throws {ConfigError} where the environment makes http-proxy-3 go by `fetch`
   */
  constructor(parts: EngineParts, settings: HttpProxySettings, report: (sample: string, error: unknown) => void) {
    // http-proxy-3 would send every request by itself then, past the pool's connections.
    if (process.env['FORCE_FETCH_PATH'] === 'true')
      throw new ConfigError([
        { path: 'engine', value: 'http-proxy-3', message: 'cannot be used while FORCE_FETCH_PATH is set to true' },
      ]);
    const { createProxyServer } = require('http-proxy-3') as typeof import('http-proxy-3');
    const proxy = createProxyServer(settings.passedOn);
    const events = new HttpProxyEvents(settings.on, report);
    events.listen(proxy as EventEmitter);
    if (settings.rewritesLocation) {
      const prepare = prepareLocation.bind(undefined, settings.hostRewrite);
      (proxy as EventEmitter).on('proxyRes', prepare);
    }
    // Its types ask for Node's own request and response; it uses of them what the stand-ins have.
    const carry = proxy.web as unknown as Carry;
    const forwarding = { ...parts.forwarding, changeOrigin: false };
    const changeOrigin = settings.changeOrigin ?? parts.forwarding.changeOrigin;
    this.#parts = { ...parts, forwarding, settings: { ...settings, changeOrigin }, events, carry };
  }

  forward(exchange: HttpExchange, endpoint: Endpoint, fresh: boolean, sink: OutcomeSink): Attempt {
    const { dialer, settings } = this.#parts;
    const route = this.#routeTo(endpoint);
    const { target, connections } = route;
    const sni = target.tls ? serverName(target, clientHost(exchange.headers)) : undefined;
    const key = connectionKey(target, sni);
    let connection = takeKept(connections, key, exchange, fresh);
    const reused = connection !== undefined;
    if (!connection) {
      connections.makeRoom();
      connection = new HttpProxyConnection(dialer, target, sni, settings.localAddress, key, connections);
      connections.opened(connection, exchange.session);
    }
    const attempt = new HttpProxyAttempt(this.#parts, exchange, endpoint, route, connection, reused, sink);
    attempt.start();
    return attempt;
  }

  #routeTo(endpoint: Endpoint): Route {
    let route = this.#routes.get(endpoint);
    if (!route) {
      route = routeTo(endpoint, this.#parts.settings);
      this.#routes.set(endpoint, route);
    }
    return route;
  }
}

/**
 * Sees to it that http-proxy-3 can rewrite a `Location`: it throws at what is no URL, but leaves alone what is no string; and
 * it keeps the server's port where the new host names none.
 */
function prepareLocation(host: string | undefined, { headers }: IncomingMessage, request: RequestStandIn): void {
  const { location } = headers;
  if (location === undefined) return;
  const base = 'http://base.invalid';
  const url = URL.parse(location.startsWith('//') ? base + location : location, base);
  if (!url) {
    (headers as Record<string, unknown>)['location'] = [location];
    return;
  }
  const wanted = host ?? String(request.headers['host']);
  request.headers['host'] = /:\d+$/.test(wanted) ? wanted : `${wanted}:${url.protocol === 'https:' ? 443 : 80}`;
}
