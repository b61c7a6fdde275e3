/** evenkeel in Express 5. */
import express from 'express';
import { Pool } from '#src/index.ts';
import { host, listening, port, servers } from './child.ts';

const pool = new Pool({ servers: servers.map((server) => server.origin) });
const app = express();
app.use(pool.middleware());
app.listen(port, host, listening);
