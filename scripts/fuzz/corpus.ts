const OK = 'HTTP/1.1 200 OK\r\n';

/** Responses that are changed at random. */
export const RESPONSES: readonly [string, ...string[]] = [
  `${OK}Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello`,
  `${OK}Content-Length: 5\r\nConnection: close\r\nX-A: 1\r\n\r\nhello`,
  `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n`,
  `${OK}Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n1;a="b\\"c";d\r\na\r\n0\r\nX-Sum: 9\r\nX-B:\r\n\r\n`,
  `${OK}X-A: b \t\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nETag: "\x80"\r\n\r\nuntil the end`,
  'HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello',
  'HTTP/1.0 200 OK\r\n\r\nhello',
  'HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\ncontent-length:0\r\n\r\n',
  `${OK}Connection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n`,
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-A: 1\r\n\r\n',
  'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno',
];

/** Requests that are changed at random. */
export const REQUESTS: readonly [string, ...string[]] = [
  'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'GET /a?b=c HTTP/1.1\r\nHost: a.test:80\r\nAccept: a\r\nAccept: b\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n',
  'POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello',
  'PUT /p HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nX-T: 1\r\n\r\n',
  'GET http://a.test/abs HTTP/1.1\r\nHost: a.test\r\nConnection: x-hop, close\r\nX-Hop: 1\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nProxy-Authorization: x\r\n\r\n',
  'HEAD /h HTTP/1.0\r\nConnection: keep-alive\r\nX-A: \x80\r\n\r\n',
  'GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n',
  'DELETE /d HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n',
  'GET /one HTTP/1.1\r\nHost: a.test\r\n\r\nGET /two HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'POST /t HTTP/1.1\r\nHost: a.test\r\nUser-Agent: a\r\nUser-Agent: b\r\nContent-Length: 3\r\n\r\na\r\n',
];
