const TWO_LENGTHS = "http-proxy-3 reads with Node's parser, which refuses any second Content-Length: 502";

/** Recorded cases that are not met yet, and why. */
export const NOT_YET: Readonly<Record<string, string>> = {};

/** Those that cannot be met with `engine: 'http-proxy-3'`, and why. */
export const NOT_WITH_HTTP_PROXY_3: Readonly<Record<string, string>> = {
  'default: cl-twice-same': TWO_LENGTHS,
  'default: cl-list-same': TWO_LENGTHS,
  'default/POST: cl-twice-same': TWO_LENGTHS,
  'default/POST: cl-list-same': TWO_LENGTHS,
  'redispatch: cl-twice-same': TWO_LENGTHS,
  'redispatch: cl-list-same': TWO_LENGTHS,
};
