import type { Attempt, Endpoint, Forwarder, HttpExchange, OutcomeSink } from './forwarder.ts';
import type { HttpProxyOptions } from './http-proxy-options.ts';
import type { EngineParts } from './http1-engine.ts';

/** Carries requests with http-proxy-3. */
export class HttpProxyEngine implements Forwarder {
  constructor(_parts: EngineParts, _options: HttpProxyOptions) {
    throw new Error("engine 'http-proxy-3' is not there yet");
  }

  forward(_exchange: HttpExchange, _endpoint: Endpoint, _fresh: boolean, _sink: OutcomeSink): Attempt {
    throw new Error("engine 'http-proxy-3' is not there yet");
  }
}
