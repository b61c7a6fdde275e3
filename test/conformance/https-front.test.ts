import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import https from 'node:https';
import { type TestContext, test } from 'node:test';
import { Pool, type PoolOptions } from '#src/index.ts';
import { certificateFor } from '../support/certificates.ts';
import { portOf, trackSockets } from '../support/fronts.ts';
import { answersOk, Origin } from '../support/origin.ts';
import { RawClient } from '../support/raw-client.ts';

type Engine = NonNullable<PoolOptions['engine']>;

/** The fields that a server sees of a request which came over TLS. */
async function fieldsBehindTls(t: TestContext, engine: Engine, makeServer: typeof https.createServer) {
  const origin = await Origin.start(answersOk());
  const pool = new Pool({
    servers: [origin.url],
    engine,
    forwarded: true,
    forwardedHeaders: { proto: true, host: true },
  });
  const { key, cert } = await certificateFor('front.test');
  const server = makeServer({ key, cert }, pool.middleware()).listen(0, '127.0.0.1');
  const sockets = trackSockets(server);
  t.after(async () => {
    await pool.close();
    for (const socket of sockets) socket.destroy();
    server.close();
    await origin.stop();
  });
  await once(server, 'listening');
  const client = await RawClient.open(portOf(server), { rejectUnauthorized: false });
  const answer = await client.send({ fields: [['X-Forwarded-Proto', 'http']] });
  client.leave();
  assert.deepEqual([answer.status, answer.body], [200, 'ok']);
  const request = await origin.request(1);
  return ['x-forwarded-proto', 'x-forwarded-host', 'forwarded'].map((name) => request.values(name));
}

for (const engine of ['http1', 'http-proxy-3'] as const) {
  const expected = [['https'], ['front.test'], ['proto=https;for=127.0.0.1']];
  test(`node:https, ${engine}: servers are told that clients came over TLS`, async (t) => {
    assert.deepEqual(await fieldsBehindTls(t, engine, https.createServer), expected);
  });
  test(`node:http2 with TLS, an HTTP/1.1 client, ${engine}: servers are told that clients came over TLS`, async (t) => {
    const makeServer = (options: object, handler: unknown) =>
      http2.createSecureServer({ ...options, allowHTTP1: true }, handler as never) as never;
    assert.deepEqual(await fieldsBehindTls(t, engine, makeServer as never), expected);
  });
}
