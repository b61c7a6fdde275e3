/** httpxy with its default agent, which keeps connections. */
import { createServer } from 'node:http';
import { createProxyServer } from 'httpxy';
import { host, inTurn, listening, port, servers } from './child.ts';

const next = inTurn(servers);
const proxy = createProxyServer({});
createServer((request, response) => {
  proxy.web(request, response, { target: next() }).catch(() => response.destroy());
}).listen(port, host, listening);
