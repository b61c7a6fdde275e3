/** The package has no types; this is as much of it as the benchmark uses. */
declare module 'fast-proxy' {
  import type { IncomingMessage, ServerResponse } from 'node:http';

  interface FastProxy {
    proxy(request: IncomingMessage, response: ServerResponse, target: string): void;
  }
  export default function fastProxy(options: {
    base: string;
    undici: { connections: number; pipelining: number };
  }): FastProxy;
}
