/** http-proxy-middleware in Express 5, with a keep-alive agent and its `router` for the choice. */
import { Agent } from 'node:http';
import express from 'express';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { host, inTurn, listening, port, servers } from './child.ts';

const next = inTurn(servers);
const app = express();
app.use(createProxyMiddleware({ target: next(), router: next, agent: new Agent({ keepAlive: true }) }));
app.listen(port, host, listening);
