import type { IncomingHttpHeaders } from 'node:http';

/**
 * What is known of a request when a server is chosen for it. Everything is optional; an `IncomingMessage` is one.
 * @typeParam R the framework's own request object
 */
export interface RequestContext<R = unknown> {
  readonly method?: string | undefined;
  /** The target as it will be sent to the server. */
  readonly url?: string | undefined;
  readonly headers?: IncomingHttpHeaders;
  readonly remoteAddress?: string | undefined;
  readonly socket?: {
    readonly remoteAddress?: string | undefined;
    readonly remotePort?: number | undefined;
    readonly localAddress?: string | undefined;
    readonly localPort?: number | undefined;
    /** The host name that a TLS client asked for. */
    readonly servername?: string | false | null | undefined;
  };
  readonly request?: R;
  /**
   * The beginning of the body, one character a byte: what `balance: 'url_param … check_post'` looks into. A pool that
   * carries a request fills it in by itself.
   */
  readonly bodyStart?: string | undefined;
}

/** The same of a request that the pool carries: it has a method and a target. */
export interface CarriedContext<R = unknown> extends RequestContext<R> {
  readonly method: string;
  /** The target as it will be sent to the server. */
  readonly url: string;
}
