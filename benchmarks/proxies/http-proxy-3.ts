/** http-proxy-3 with a keep-alive agent (its default opens a connection for each request) and targets parsed before. */
import { Agent, createServer } from 'node:http';
import { createProxyServer } from 'http-proxy-3';
import { host, inTurn, listening, port, servers } from './child.ts';

const next = inTurn(servers);
const proxy = createProxyServer({ agent: new Agent({ keepAlive: true }) });
proxy.on('error', (_error, _request, response) => response.destroy());
createServer((request, response) => proxy.web(request, response, { target: next() })).listen(port, host, listening);
