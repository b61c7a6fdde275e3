/** evenkeel carried by http-proxy-3. */
import { createServer } from 'node:http';
import { Pool } from '#src/index.ts';
import { host, listening, port, servers } from './child.ts';

const pool = new Pool({ engine: 'http-proxy-3', servers: servers.map((server) => server.origin) });
createServer(pool.middleware()).listen(port, host, listening);
