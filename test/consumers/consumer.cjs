const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { Pool } = require('evenkeel');

async function main() {
  const origin = http.createServer((req, res) => res.end(`origin saw ${req.url}`)).listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const pool = new Pool({ name: 'api', servers: [`http://127.0.0.1:${origin.address().port}`] });
  const front = http.createServer(pool.middleware()).listen(0, '127.0.0.1');
  await once(front, 'listening');

  const answer = await fetch(`http://127.0.0.1:${front.address().port}/from-cjs`);
  assert.equal(await answer.text(), 'origin saw /from-cjs');
  const [server] = Object.values(pool.stats().servers);
  console.log(`CommonJS: ${server.state}, 2xx: ${server.responses['2xx']}`);
  assert.equal(typeof require('evenkeel/fastify').default, 'function');

  await pool.close();
  front.close();
  origin.close();
}
main();
