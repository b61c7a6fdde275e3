/** What a check, and a request, say of a server over TLS whose certificate will not do. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type EvenkeelError, Pool, type ServerOptions } from '#src/index.ts';
import { certificateFor } from '../support/certificates.ts';
import { Origin } from '../support/origin.ts';
import { RawClient } from '../support/raw-client.ts';

/** What a check says, and a request that goes to the same server without a retry. */
async function told(t: TestContext, server: ServerOptions): Promise<{ check: string; request: string }> {
  const pool = new Pool({ servers: [server], defaultServer: { check: true, initState: 'fully-up' }, retries: 0 });
  const check = new Promise<string>((resolve) => pool.once('server:check', ({ description }) => resolve(description)));
  const failed = new Promise<EvenkeelError | undefined>((resolve) =>
    pool.once('request', ({ error }) => resolve(error)),
  );
  const front = createServer(pool.middleware());
  await once(front.listen(0, '127.0.0.1'), 'listening');
  const client = await RawClient.open((front.address() as AddressInfo).port);
  t.after(async () => {
    client.leave();
    front.close();
    await pool.close();
  });
  await client.send();
  const error = await failed;
  assert.equal(error?.code, 'EK_CONNECT');
  return { check: await check, request: error.message };
}

async function secureOrigin(t: TestContext): Promise<{ address: string; cert: string }> {
  const { key, cert } = await certificateFor('one.example');
  const origin = https.createServer({ key, cert }, (_request, response) => response.end());
  await once(origin.listen(0, '127.0.0.1'), 'listening');
  t.after(() => {
    origin.closeAllConnections();
    origin.close();
  });
  return { address: `https://127.0.0.1:${(origin.address() as AddressInfo).port}`, cert };
}

test('of a certificate that nobody vouches for they name the options that say whom to trust', async (t) => {
  const { address } = await secureOrigin(t);
  const words =
    "self-signed certificate; to trust it, give it as 'caFile' or 'ca' (verify: 'none' trusts any certificate)";
  assert.deepEqual(await told(t, { address }), { check: words, request: `could not connect to the server: ${words}` });
});

test('of one that is for another name they name the options that say which', async (t) => {
  const { address, cert } = await secureOrigin(t);
  const { check, request } = await told(t, { address, ca: cert, sni: 'two.example' });
  assert.match(
    check,
    /^the certificate is for another name than 'verifyhost' or the SNI says: .*two\.example.*one\.example/,
  );
  assert.equal(request, `could not connect to the server: ${check}`);
});

test('of a server that speaks no TLS they say so, on one line', async (t) => {
  const plain = await Origin.start(() => {}, {
    onConnection: ({ socket }) => void socket.end('HTTP/1.1 400 No\r\n\r\n'),
  });
  t.after(() => plain.stop());
  const words = 'the server does not speak TLS (wrong version number)';
  const address = plain.url.replace('http:', 'https:');
  assert.deepEqual(await told(t, { address }), { check: words, request: `could not connect to the server: ${words}` });
});
