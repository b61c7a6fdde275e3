/** @fastify/http-proxy with its default client (undici, 128 connections a server, kept for a minute) and `getUpstream` for the choice. */
import proxy from '@fastify/http-proxy';
import fastify from 'fastify';
import { host, inTurn, listening, port, servers } from './child.ts';

const next = inTurn(servers.map((server) => server.origin));
const app = fastify();
app.register(proxy, { upstream: '', replyOptions: { getUpstream: next } });
await app.listen({ port, host });
listening();
