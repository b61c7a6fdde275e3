/** Pool options that HAProxy has and we have not, with the words of its manual. */
export const NOT_SUPPORTED_BY_POOL: Readonly<Record<string, string>> = {
  httpCheck: "not supported (HAProxy: http-check): its rules are options of a check: { type: 'http', … }",
  tcpCheck: 'not supported (HAProxy: tcp-check): its rules are the steps of a check: { steps: [ … ] }',
  appsession:
    "not supported (HAProxy: appsession, which 1.6 has removed): stick: ['match req.cook(sid)', 'store-response res.cook(sid)'] with a 'stickTable' does the same",
  ...Object.fromEntries(
    [
      ...['maxKeepAliveQueue', 'preferLastServer', 'abortonclose'],
      ...['logHealthChecks', 'originalto', 'httpSendNameHeader', 'source', 'uniqueIdFormat'],
      ...[
        'mode',
        'compression',
        'cacheUse',
        'filter',
        'acl',
        'emailAlert',
        'httpBufferRequest',
        'loadServerStateFromFile',
        'serverTemplate',
      ],
    ].map((key) => [key, `not supported (HAProxy: ${keyword(key)})`]),
  ),
};

/** Server options that HAProxy has and we have not. */
export const NOT_SUPPORTED_BY_SERVER: Readonly<Record<string, string>> = {
  healthcheck:
    "not supported (HAProxy: healthcheck): did you mean 'check', an object or the name of one in the pool's 'healthchecks'?",
  ...Object.fromEntries(
    [
      ...['checkViaSocks4', 'checkPoolConnName', 'checkSniAuto'],
      ...['sendProxy', 'sendProxyV2', 'proto', 'ws', 'poolConnName', 'resolvers', 'resolvePrefer', 'initAddr'],
      ...[
        'source',
        'usesrc',
        'namespace',
        'socks4',
        'crlFile',
        'ciphers',
        'ciphersuites',
        'sslMinVer',
        'sslMaxVer',
        'tfo',
      ],
    ].map((key) => [key, `not supported (HAProxy: ${keyword(key)})`]),
  ),
};

/** Time-outs that are known and do nothing yet. */
export const NOT_SUPPORTED_TIMEOUTS: Readonly<Record<string, string>> = {
  httpRequest: "not supported (HAProxy: timeout http-request): Node's server has headersTimeout and requestTimeout",
  httpKeepAlive: "not supported (HAProxy: timeout http-keep-alive): Node's server has keepAliveTimeout",
};

function keyword(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
