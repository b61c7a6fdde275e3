/**
 * A proxy written by hand over undici's lowest call, `dispatch`, with care: request fields go through as they came, hop-by-hop
 * fields are dropped, there is back-pressure, and an attempt ends when its client leaves. (A handler for undici's older, raw
 * interface was measured too, and cost the same.)
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Dispatcher, Pool } from 'undici';
import { host, inTurn, listening, port, servers } from './child.ts';

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
]);

class Relay implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse;
  #controller: Dispatcher.DispatchController | undefined;
  #ended = false;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.on('close', () => {
      if (!this.#ended) this.#controller?.abort(new Error('the client left'));
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
    statusText?: string,
  ): void {
    if (status < 200) return;
    const kept: IncomingHttpHeaders = {};
    for (const name in headers) if (!HOP_BY_HOP.has(name)) kept[name] = headers[name];
    this.#response.writeHead(status, statusText, kept);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#response.write(chunk)) return;
    controller.pause();
    this.#response.once('drain', () => controller.resume());
  }

  onResponseEnd(): void {
    this.#ended = true;
    this.#response.end();
  }

  onResponseError(): void {
    this.#ended = true;
    if (this.#response.headersSent) this.#response.destroy();
    else this.#response.writeHead(502).end();
  }
}

function endToEnd(request: IncomingMessage): string[] {
  const raw = request.rawHeaders;
  const fields: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = String(raw[i]);
    if (!HOP_BY_HOP.has(name.toLowerCase())) fields.push(name, String(raw[i + 1]));
  }
  return fields;
}

const next = inTurn(servers.map((server) => new Pool(server.origin)));
createServer((request, response) => {
  const hasBody = 'content-length' in request.headers || 'transfer-encoding' in request.headers;
  next().dispatch(
    {
      path: request.url ?? '/',
      method: (request.method ?? 'GET') as Dispatcher.HttpMethod,
      headers: endToEnd(request),
      body: hasBody ? request : null,
    },
    new Relay(response),
  );
}).listen(port, host, listening);
