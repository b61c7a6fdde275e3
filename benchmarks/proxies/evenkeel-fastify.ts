/** evenkeel in Fastify. */
import fastify from 'fastify';
import evenkeel from '#src/adapters/fastify.ts';
import { Pool } from '#src/index.ts';
import { host, listening, port, servers } from './child.ts';

const pool = new Pool({ servers: servers.map((server) => server.origin) });
const app = fastify();
app.register(evenkeel, { pool });
await app.listen({ port, host });
listening();
