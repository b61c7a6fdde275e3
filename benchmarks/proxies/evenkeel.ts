/** evenkeel as it comes: every option at its default. */
import { createServer } from 'node:http';
import { Pool } from '#src/index.ts';
import { host, listening, port, servers } from './child.ts';

const pool = new Pool({ servers: servers.map((server) => server.origin) });
createServer(pool.middleware()).listen(port, host, listening);
