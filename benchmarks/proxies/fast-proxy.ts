/** fast-proxy over undici, as its documentation advises for speed; undici's client is bound to one server, so one instance each. */
import { createServer } from 'node:http';
import fastProxy from 'fast-proxy';
import { host, inTurn, listening, port, servers } from './child.ts';

const next = inTurn(
  servers.map((server) => fastProxy({ base: server.origin, undici: { connections: 128, pipelining: 1 } })),
);
createServer((request, response) => next().proxy(request, response, request.url ?? '/')).listen(port, host, listening);
