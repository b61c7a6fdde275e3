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
  readonly socket?: { readonly remoteAddress?: string | undefined };
  readonly request?: R;
}
