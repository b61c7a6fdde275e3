import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigError, Pool } from 'evenkeel';

const origin = http.createServer((req, res) => res.end(`origin saw ${req.url}`)).listen(0, '127.0.0.1');
await once(origin, 'listening');
const address = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`;
const pool = new Pool({ name: 'api', balance: 'leastconn', servers: [{ name: 'a', address, weight: 50 }] });
const front = http.createServer(pool.middleware()).listen(0, '127.0.0.1');
await once(front, 'listening');

const answer = await fetch(`http://127.0.0.1:${(front.address() as AddressInfo).port}/from-ts`);
assert.equal(await answer.text(), 'origin saw /from-ts');
const state: string | undefined = pool.stats().servers['a']?.state;
console.log('TypeScript:', state);
// @ts-expect-error a phrase that HAProxy does not know is a compile error
assert.throws(() => new Pool({ balance: 'fastest', servers: [] }), ConfigError);

await pool.close();
front.close();
origin.close();
