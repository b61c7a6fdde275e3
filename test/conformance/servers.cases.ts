import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket, TlsOptions as TlsServerOptions } from 'node:tls';
import type { ServerOptions } from '#src/index.ts';
import { certificateFor } from '../support/certificates.ts';
import { type Origin, ok, type Script } from '../support/origin.ts';
import type { Case } from './case.ts';
import type { OpenFront, Stage } from './stage.ts';

interface Secure {
  readonly origin: Origin;
  readonly front: OpenFront;
  /** The server names that were asked for, by connection. */
  readonly names: (string | false | undefined)[];
}

/** A TLS server whose certificate is for one name, and a pool of it. */
async function secure(
  stage: Stage,
  name: string,
  options: Omit<ServerOptions, 'address'>,
  { script, tls = {} }: { script?: Script; tls?: TlsServerOptions } = {},
): Promise<Secure> {
  const names: Secure['names'] = [];
  const origin = await stage.origin(script, {
    tls: { ...(await certificateFor(name)), ...tls },
    onConnection: ({ socket }) => names.push((socket as TLSSocket & { servername?: string | false }).servername),
  });
  return { origin, front: await stage.open({ servers: [{ address: origin.url, ...options }], retries: 0 }), names };
}

/** Servers behind TLS and on unix sockets. */
export const serversCases: readonly Case[] = [
  {
    name: 'a server on a unix socket is a server like others',
    async run(stage) {
      const folder = mkdtempSync(join(tmpdir(), 'evenkeel-'));
      try {
        const origin = await stage.origin(undefined, { path: join(folder, 'server.sock') });
        const front = await stage.open({ servers: [origin.url] });
        const client = await front.client();
        assert.equal((await client.send({ method: 'POST', body: 'abc' })).body, 'ok');
        assert.equal((await client.send()).body, 'ok');
        const request = await origin.request(1);
        assert.deepEqual([await request.body(), request.field('host')], ['abc', 'front.test']);
        assert.equal(origin.connections.length, 1);
        const gone = await stage.open({ servers: [`unix:${join(folder, 'nobody.sock')}`], retries: 0 });
        assert.equal((await gone.send()).status, 503);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  },
  {
    name: 'TLS: a certificate that nobody vouches for is refused by default: 503, SC',
    async run(stage) {
      const { origin, front } = await secure(stage, '127.0.0.1', {});
      const answer = await front.send({ host: '127.0.0.1' });
      assert.equal(answer.status, 503);
      assert.equal((await front.event()).flags, 'SC');
      assert.equal(origin.requests.length, 0);
    },
  },
  {
    name: 'TLS: ca and caFile say whom to trust; bodies pass both ways and connections are kept',
    async run(stage) {
      const { cert } = await certificateFor('127.0.0.1');
      const folder = mkdtempSync(join(tmpdir(), 'evenkeel-'));
      const caFile = join(folder, 'ca.pem');
      writeFileSync(caFile, cert);
      const body = 'x'.repeat(300_000);
      for (const trust of [{ ca: cert }, { ca: [Buffer.from(cert)] }, { caFile }]) {
        const script: Script = (request) => request.ended.then(() => request.reply(ok(body)));
        const { origin, front } = await secure(stage, '127.0.0.1', trust, { script });
        const client = await front.client();
        for (let i = 0; i < 2; i++) {
          const answer = await client.send({ method: 'POST', body, host: '127.0.0.1' });
          assert.deepEqual([answer.status, answer.body === body], [200, true]);
        }
        assert.equal((await (await origin.request(2)).body()).length, body.length);
        assert.equal(origin.connections.length, 1);
      }
      rmSync(folder, { recursive: true });
    },
  },
  {
    name: "TLS: verify 'none' trusts anybody",
    async run(stage) {
      const { front } = await secure(stage, 'someone.test', { verify: 'none' });
      assert.equal((await front.send()).status, 200);
    },
  },
  {
    name: 'TLS: at an IP address the Host of the request is asked for, and verified',
    async run(stage) {
      const { cert } = await certificateFor('a.test');
      const { front, names } = await secure(stage, 'a.test', { ca: cert });
      assert.equal((await front.send({ host: 'a.test' })).status, 200);
      assert.equal((await front.send({ host: 'A.test:8443' })).status, 200);
      assert.equal((await front.send({ host: 'b.test' })).status, 503);
      assert.deepEqual(names.slice(0, 1), ['a.test']);
    },
  },
  {
    name: 'TLS: a connection that asked for one name is not used for another',
    async run(stage) {
      const { origin, front, names } = await secure(stage, 'a.test', { verify: 'none', poolLowConn: 9 });
      const client = await front.client();
      for (const host of ['a.test', 'b.test', 'a.test', 'b.test', '127.0.0.1'])
        assert.equal((await client.send({ host })).status, 200);
      assert.deepEqual(names, ['a.test', 'b.test', false]);
      assert.deepEqual(
        origin.connections.map(({ requests }) => requests.length),
        [2, 2, 1],
      );
    },
  },
  {
    name: 'TLS: sni asks for a name, verifyhost verifies another',
    async run(stage) {
      const { cert } = await certificateFor('a.test');
      const fixed = await secure(stage, 'a.test', { ca: cert, sni: 'a.test' });
      assert.equal((await fixed.front.send({ host: 'other.test' })).status, 200);
      assert.deepEqual(fixed.names, ['a.test']);
      const other = await secure(stage, 'a.test', { ca: cert, sni: 'b.test', verifyhost: 'a.test' });
      assert.equal((await other.front.send()).status, 200);
      assert.deepEqual(other.names, ['b.test']);
      const wrong = await secure(stage, 'a.test', { ca: cert, sni: 'a.test', verifyhost: 'b.test' });
      assert.equal((await wrong.front.send()).status, 503);
    },
  },
  {
    name: 'TLS: a server that asks for a certificate of ours gets it',
    async run(stage) {
      const { key, cert } = await certificateFor('client.test');
      const folder = mkdtempSync(join(tmpdir(), 'evenkeel-'));
      const crt = join(folder, 'client.pem');
      writeFileSync(crt, `${cert}\n${key}`);
      const tls = { requestCert: true, rejectUnauthorized: true, ca: [cert] };
      for (const own of [{ key, cert }, { crt }]) {
        const { front } = await secure(stage, 'a.test', { ...own, verify: 'none' }, { tls });
        assert.equal((await front.send()).status, 200);
      }
      rmSync(folder, { recursive: true });
      const { front } = await secure(stage, 'a.test', { verify: 'none' }, { tls });
      assert.match(String((await front.send()).status), /^50[23]$/);
    },
  },
  {
    name: 'TLS: sessions are resumed',
    async run(stage) {
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        const { cert } = await certificateFor('a.test');
        const options = { ca: cert, sni: 'a.test', maxReuse: 0 };
        const resumed: boolean[] = [];
        const script: Script = (request) => {
          resumed.push((request.socket as TLSSocket).isSessionReused());
          return request.reply(ok());
        };
        const { front } = await secure(stage, 'a.test', options, { script, tls: { maxVersion } });
        for (let i = 0; i < 3; i++) assert.equal((await front.send()).status, 200);
        assert.deepEqual(resumed, [false, true, true], maxVersion);
      }
    },
  },
  {
    name: 'TLS: a body cut off without a word is cut for the client',
    async run(stage) {
      const script: Script = ({ socket }) =>
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello', () => socket.destroy());
      const { front } = await secure(stage, 'a.test', { verify: 'none' }, { script });
      const answer = await front.send();
      assert.deepEqual([answer.complete, answer.ended === 'hang'], [false, false]);
      assert.equal((await front.event()).flags, 'SD');
    },
  },
  {
    name: 'TLS spoken to a server that speaks plain HTTP, and the other way round: 502 or 503, no crash',
    async run(stage) {
      const plain = await stage.origin(() => {}, {
        onConnection: ({ socket }) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
      });
      const tlsToPlain = await stage.open({ servers: [{ address: plain.url.replace('http:', 'https:') }], retries: 0 });
      assert.equal((await tlsToPlain.send()).status, 503);
      const speaking = await stage.origin(undefined, { tls: await certificateFor('a.test') });
      const plainToTls = await stage.open({ servers: [speaking.url.replace('https:', 'http:')], retries: 0 });
      assert.match(String((await plainToTls.send()).status), /^50[23]$/);
    },
  },
];
