import type { EventEmitter } from 'node:events';
import type { IncomingMessage, ClientRequest as NodeRequest, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpExchange } from './forwarder.ts';
import type { HttpProxyListeners } from './http-proxy-options.ts';
import type { RequestStandIn } from './http-proxy-request.ts';

/** Calls the user's listeners, with the client's own request and response in place of our stand-ins. None can throw. */
export class HttpProxyEvents {
  readonly #on: Partial<HttpProxyListeners>;
  readonly #report: (sample: string, error: unknown) => void;

  constructor(on: Partial<HttpProxyListeners>, report: (sample: string, error: unknown) => void) {
    this.#on = on;
    this.#report = report;
  }

  /** Listens to all that http-proxy-3 emits of itself. An attempt that is over has nothing more to say. */
  listen(proxy: EventEmitter): void {
    proxy.on('start', ({ exchange }: RequestStandIn, _response: unknown, target: unknown) =>
      this.call('start', ...client(exchange), target),
    );
    proxy.on(
      'proxyReq',
      (
        proxyReq: NodeRequest,
        { exchange, over }: RequestStandIn,
        _response: unknown,
        options: object,
        socket: Socket,
      ) => {
        if (over) return;
        if (exchange.upgrade === undefined) this.call('proxyReq', proxyReq, ...client(exchange), options, socket);
        else {
          const { upgradeSocket, upgradeHead = Buffer.alloc(0) } = exchange;
          if (upgradeSocket)
            this.call('proxyReqWs', proxyReq, client(exchange)[0], upgradeSocket, options, upgradeHead);
        }
      },
    );
    proxy.on('proxyRes', (proxyRes: IncomingMessage, { exchange, over }: RequestStandIn) => {
      if (!over) this.call('proxyRes', proxyRes, ...client(exchange));
    });
    proxy.on('end', ({ exchange, over }: RequestStandIn, _response: unknown, proxyRes: IncomingMessage) => {
      if (!over) this.call('end', ...client(exchange), proxyRes);
    });
    proxy.on('econnreset', (error: Error, { exchange }: RequestStandIn, _response: unknown, target: unknown) =>
      this.call('econnreset', error, ...client(exchange), target),
    );
  }

  /** An attempt failed. */
  failed(error: Error, exchange: HttpExchange, target: unknown): void {
    this.call('error', error, ...client(exchange), target);
  }

  call<E extends keyof HttpProxyListeners>(event: E, ...values: Parameters<HttpProxyListeners[E]>): void {
    const listener = this.#on[event] as ((...values: unknown[]) => unknown) | undefined;
    if (!listener) return;
    const report = (error: unknown): void => this.#report(`httpProxy.on.${event}`, error);
    try {
      const result = listener(...values);
      if (result instanceof Promise) result.catch(report);
    } catch (error) {
      report(error);
    }
  }
}

function client({ clientRequest, clientResponse }: HttpExchange): [IncomingMessage, ServerResponse] {
  return [clientRequest as IncomingMessage, clientResponse as ServerResponse];
}
