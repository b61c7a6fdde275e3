import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { Pool } from 'evenkeel';

const origin = http.createServer((req, res) => res.end(`origin saw ${req.url}`)).listen(0, '127.0.0.1');
await once(origin, 'listening');
const pool = new Pool({ name: 'api', servers: [`http://127.0.0.1:${origin.address().port}`] });
const front = http.createServer(pool.middleware()).listen(0, '127.0.0.1');
await once(front, 'listening');

const answer = await fetch(`http://127.0.0.1:${front.address().port}/from-esm`);
assert.equal(answer.status, 200);
assert.equal(await answer.text(), 'origin saw /from-esm');
const [server] = Object.values(pool.stats().servers);
console.log(`ESM: ${server.state}, 2xx: ${server.responses['2xx']}`);
assert.equal(server.active, 0);

await pool.close();
front.close();
origin.close();
