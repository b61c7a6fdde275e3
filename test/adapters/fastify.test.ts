import assert from 'node:assert/strict';
import { METHODS } from 'node:http';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import fastify, { type FastifyRequest } from 'fastify';
import evenkeel from '#src/adapters/fastify.ts';
import { ConfigError, EvenkeelError, Pool } from '#src/index.ts';
import type { RequestSpec } from '../support/client-exchange.ts';
import { Http2Client } from '../support/http2-client.ts';
import { answersOk, ok } from '../support/origin.ts';
import { echoes, listen, originFor, type Seen } from './fastify-app.ts';

test('the prefix and all below it go to the server, byte for byte and without the prefix', async (t) => {
  const origin = await originFor(t, echoes);
  const app = fastify();
  app.get('/other', () => 'other');
  app.register(evenkeel, { servers: [origin.url], prefix: '/api' });
  const open = await listen(t, app);
  const client = await open();
  const targets: Record<string, string> = {
    '/api': '/',
    '/api?q': '/?q',
    '/api/': '/',
    '/api/a%20b/..//c?x=%2F&y[]=1': '/a%20b/..//c?x=%2F&y[]=1',
    '/%61pi/x': '/x',
    'http://front.test/api/x': '/x',
  };
  for (const [path, target] of Object.entries(targets)) {
    const answer = await client.send({ path });
    assert.equal(answer.status, 200, path);
    assert.equal((JSON.parse(answer.body) as Seen).target, target, path);
  }
  assert.equal((await client.send({ path: '/other' })).body, 'other');
  assert.equal((await client.send({ path: '/apix' })).status, 404);
});

test('every method that Node lets through reaches the server, with its body and without', async (t) => {
  const origin = await originFor(t, echoes);
  const app = fastify();
  app.register(evenkeel, { servers: [origin.url], prefix: '/api' });
  const open = await listen(t, app);
  const client = await open();
  for (const method of METHODS.filter((name) => name !== 'CONNECT')) {
    for (const body of [undefined, 'a body']) {
      const fields: RequestSpec['fields'] = [['content-type', 'text/plain']];
      const answer = await client.send({ method, path: '/api/x', fields, ...(body !== undefined && { body }) });
      assert.equal(answer.status, 200, method);
      if (method === 'HEAD') continue;
      const seen = JSON.parse(answer.body) as Seen;
      assert.deepEqual([seen.method, seen.body], [method, body ?? ''], method);
    }
  }
});

test('at the root, everything that no other route takes goes to the server', async (t) => {
  const origin = await originFor(t, echoes);
  const app = fastify();
  app.get('/own', () => 'own');
  app.register(evenkeel, { servers: [origin.url] });
  const open = await listen(t, app);
  const client = await open();
  assert.equal((await client.send({ path: '/own' })).body, 'own');
  for (const path of ['/', '/own/x', '//own', '/?q'])
    assert.equal((JSON.parse((await client.send({ path })).body) as Seen).target, path);
  const options = await client.send({ method: 'OPTIONS', path: '*' });
  assert.equal((JSON.parse(options.body) as Seen).target, '*');
});

test('prefixes that are nested, parametric or compared loosely are taken off as Fastify compares them', async (t) => {
  const origin = await originFor(t, echoes);
  const app = fastify({ routerOptions: { caseSensitive: false, ignoreDuplicateSlashes: true } });
  app.register(
    async (scope) => {
      scope.register(evenkeel, { servers: [origin.url], prefix: '/:shop/api' });
    },
    { prefix: '/V1' },
  );
  const open = await listen(t, app);
  const client = await open();
  for (const path of ['/v1/acme/api/x?y', '/V1/a%2Fb/API/x?y', '//v1//acme/api/x?y']) {
    const answer = await client.send({ path });
    assert.equal((JSON.parse(answer.body) as Seen).target, '/x?y', path);
  }
});

test('stripPrefix: false keeps the prefix; rewriteUrl decides alone; a target it cannot give is a 400', async (t) => {
  const origin = await originFor(t, echoes);
  const pool = new Pool<FastifyRequest>({ servers: [origin.url] });
  t.after(() => pool.close());
  const faults: string[] = [];
  pool.on('sample:error', ({ sample }) => faults.push(sample));
  const app = fastify();
  app.register(evenkeel, { pool, prefix: '/keep', stripPrefix: false });
  app.register(evenkeel, {
    pool,
    prefix: '/rewrite',
    rewriteUrl: (url, request) => `/${request.method}${url}`,
  });
  app.register(evenkeel, {
    pool,
    prefix: '/throws',
    rewriteUrl: () => {
      throw new Error('no');
    },
  });
  const open = await listen(t, app);
  const client = await open();
  assert.equal((JSON.parse((await client.send({ path: '/keep/x' })).body) as Seen).target, '/keep/x');
  assert.equal((JSON.parse((await client.send({ path: '/rewrite/x' })).body) as Seen).target, '/GET/x');
  assert.equal((await client.send({ path: '/throws/x' })).status, 400);
  assert.deepEqual(faults, ['rewriteUrl']);
});

test('bodies are streamed, whatever their type and size, and never parsed', async (t) => {
  const origin = await originFor(t, async (request) => {
    await request.ended;
    request.socket.write(ok(String(request.length)));
  });
  const app = fastify({ bodyLimit: 100 });
  app.register(evenkeel, { servers: [origin.url], prefix: '/api' });
  app.post('/parsed', (request) => request.body);
  const open = await listen(t, app);
  const client = await open();
  const big = Buffer.alloc(1_000_000, 'x');
  for (const type of ['application/json', 'text/plain', 'multipart/form-data', 'junk', '', ';', 'a/b; c']) {
    const fields: RequestSpec['fields'] = [['Content-Type', type]];
    for (const framing of ['chunked', big.length] as const) {
      const answer = await client.send({ method: 'POST', path: '/api/x', fields, body: big, framing });
      assert.deepEqual([answer.status, answer.body], [200, String(big.length)], type);
      assert.deepEqual(origin.requests.at(-1)?.values('content-type'), [type], type);
    }
  }
  // Piece by piece: the server has the first before the client has sent the last.
  const upload = client.start({ method: 'PUT', path: '/api/x', framing: 'chunked' });
  upload.write('first');
  const request = await origin.request(origin.requests.length + 1);
  while (request.length < 5) await sleep(1);
  upload.write('last');
  upload.finish();
  assert.equal((await upload.end).body, '9');
  // The parsers of other scopes are as they were.
  const fields: RequestSpec['fields'] = [['content-type', 'application/json']];
  assert.equal((await client.send({ method: 'POST', path: '/parsed', fields, body: '{"a":1}' })).body, '{"a":1}');
});

test('onRequest, preParsing, preValidation, preHandler and onResponse run, onSend does not', async (t) => {
  const origin = await originFor(t, answersOk());
  const ran: string[] = [];
  const app = fastify();
  const over = new Promise<void>((resolve) => {
    app.addHook('onRequest', async () => void ran.push('onRequest'));
    app.addHook('preParsing', async (_request, _reply, payload) => {
      ran.push('preParsing');
      return payload;
    });
    app.addHook('preValidation', async () => void ran.push('preValidation'));
    app.addHook('preHandler', async () => void ran.push('preHandler'));
    app.addHook('preSerialization', async () => void ran.push('preSerialization'));
    app.addHook('onSend', async () => void ran.push('onSend'));
    app.addHook('onResponse', async (_request, reply) => {
      ran.push(`onResponse ${reply.statusCode}`);
      resolve();
    });
  });
  app.register(evenkeel, { servers: [origin.url], prefix: '/api' });
  const open = await listen(t, app);
  const client = await open();
  assert.equal((await client.send({ method: 'POST', path: '/api', body: 'x' })).status, 200);
  await over;
  assert.deepEqual(ran, ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'onResponse 200']);
});

test('a hook that answers keeps the request from the server; what hooks do to the fields is obeyed', async (t) => {
  const origin = await originFor(t, echoes);
  const app = fastify();
  app.register(async (scope) => {
    scope.addHook('preHandler', async (request, reply) => {
      if (request.headers.authorization === undefined) return reply.code(401).send({ who: 'nobody' });
      delete request.headers.authorization;
      request.headers['x-user'] = 'u1';
      request.headers = { 'x-added': '1', 'x-gone': undefined };
    });
    scope.register(evenkeel, { servers: [origin.url], prefix: '/api' });
  });
  const open = await listen(t, app);
  const client = await open();
  const refused = await client.send({ method: 'POST', path: '/api', body: 'not read' });
  assert.deepEqual([refused.status, refused.body], [401, '{"who":"nobody"}']);
  assert.equal(origin.requests.length, 0);
  const fields: RequestSpec['fields'] = [
    ['Authorization', 'secret'],
    ['X-User', 'forged'],
    ['X-Gone', '1'],
    ['X-Kept', '1'],
  ];
  await client.send({ path: '/api', fields });
  const request = await origin.request(1);
  assert.deepEqual(
    ['authorization', 'x-user', 'x-added', 'x-gone', 'x-kept'].map((name) => request.field(name)),
    [undefined, 'u1', '1', undefined, '1'],
  );
});

test('fields that reply.header() has set reach the client beside those of the server', async (t) => {
  const origin = await originFor(
    t,
    answersOk('ok', { 'Set-Cookie': 'server=1', 'Content-Type': 'text/x', 'X-A': 'b' }),
  );
  const app = fastify();
  await app.register(cors, { origin: true, credentials: true });
  await app.register(helmet);
  app.addHook('preHandler', async (_request, reply) => {
    reply.header('Set-Cookie', ['session=1', 'second=2']).header('content-type', 'text/plain').code(299);
  });
  app.register(evenkeel, { servers: [origin.url], prefix: '/api' });
  const open = await listen(t, app);
  const client = await open();
  const fields: RequestSpec['fields'] = [['Origin', 'http://page.test']];
  const answer = await client.send({ path: '/api', fields });
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.values('set-cookie'), ['session=1', 'second=2', 'server=1']);
  assert.deepEqual(answer.values('content-type'), ['text/x']);
  assert.deepEqual(
    ['access-control-allow-origin', 'x-frame-options', 'x-a'].map((name) => answer.field(name)),
    ['http://page.test', 'SAMEORIGIN', 'b'],
  );
  const preflight = await client.send({
    method: 'OPTIONS',
    path: '/api',
    fields: [...fields, ['Access-Control-Request-Method', 'PUT']],
  });
  assert.equal(preflight.status, 204);
  assert.equal(origin.requests.length, 1);
});

test('without a server the answer is ours; errorHandler: next gives it to the scope, with its code and server', async (t) => {
  const origin = await originFor(t, (request) => request.socket.destroy());
  const app = fastify();
  const errors: unknown[] = [];
  app.setErrorHandler(async (error, _request, reply) => {
    errors.push(error);
    return reply.code(599).send('ours');
  });
  app.addHook('onSend', async (_request, reply) => void reply.header('x-on-send', '1'));
  app.register(evenkeel, { servers: [], prefix: '/none' });
  app.register(evenkeel, { servers: [], prefix: '/next', errorHandler: 'next' });
  app.register(evenkeel, { servers: [{ name: 'a', address: origin.url }], prefix: '/cut', errorHandler: 'next' });
  const open = await listen(t, app);
  const client = await open();
  const plain = await client.send({ path: '/none' });
  assert.deepEqual([plain.status, plain.field('x-on-send')], [503, undefined]);
  const fields: RequestSpec['fields'] = [['Accept', 'application/json']];
  assert.match((await client.send({ path: '/none', fields })).body, /EK_NO_SERVER/);
  for (const body of [undefined, 'a body']) {
    for (const path of ['/next', '/cut']) {
      const answer = await client.send({ method: 'POST', path, ...(body !== undefined && { body }) });
      assert.deepEqual([answer.status, answer.body, answer.field('x-on-send')], [599, 'ours', '1']);
    }
  }
  assert.ok(errors.every((error) => error instanceof EvenkeelError));
  assert.deepEqual(
    errors.map((error) => [(error as EvenkeelError).code, (error as EvenkeelError).server]),
    [
      ['EK_NO_SERVER', undefined],
      ['EK_BAD_RESPONSE', 'a'],
      ['EK_NO_SERVER', undefined],
      ['EK_BAD_RESPONSE', 'a'],
    ],
  );
});

test('errorHandler: next after half an upload leaves a connection that can be used on, or none', async (t) => {
  const origin = await originFor(t, (request) => setImmediate(() => request.socket.resetAndDestroy()));
  const app = fastify();
  app.setErrorHandler(async (_error, _request, reply) => reply.code(599).send('ours'));
  app.register(evenkeel, { servers: [origin.url], prefix: '/api', errorHandler: 'next' });
  const open = await listen(t, app);
  for (const rest of [50_000, 5_000_000]) {
    const client = await open();
    const upload = client.start({ method: 'POST', path: '/api', framing: 1_000 + rest });
    upload.write(Buffer.alloc(1_000));
    const answer = await upload.end;
    assert.deepEqual([answer.status, answer.body], [599, 'ours']);
    upload.write(Buffer.alloc(rest));
    if (rest > 65_536) await client.closed;
    else assert.equal((await client.send({ path: '/none' })).status, 404);
  }
});

test("errorHandler: next leaves good answers alone, and Fastify's handlerTimeout does not reach into them", async (t) => {
  const origin = await originFor(t, async (request) => {
    request.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no');
    await sleep(120);
    request.socket.write('k');
  });
  const app = fastify({ handlerTimeout: 40 });
  app.register(evenkeel, { servers: [origin.url], prefix: '/next', errorHandler: 'next' });
  app.register(evenkeel, { servers: [origin.url], prefix: '/own' });
  const open = await listen(t, app);
  const client = await open();
  assert.equal((await client.send({ path: '/next' })).body, 'ok');
  assert.equal((await client.send({ path: '/own' })).body, 'ok');
});

test('a client that leaves frees its slot at once; a cut answer is a cut answer', async (t) => {
  const pool = new Pool({ servers: [] });
  const origin = await originFor(t, (request) => {
    if (request.target === '/cut') {
      request.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf');
      setImmediate(() => request.socket.destroy());
    }
  });
  pool.addServer({ name: 'a', address: origin.url });
  t.after(() => pool.close());
  const app = fastify();
  app.register(evenkeel, { pool, prefix: '/api' });
  const open = await listen(t, app);
  const leaver = await open();
  leaver.start({ path: '/api/wait' });
  const waiting = await origin.request(1);
  assert.equal(pool.stats().servers['a']?.active, 1);
  leaver.leave();
  await waiting.connection.closed;
  assert.equal(pool.stats().servers['a']?.active, 0);
  const cut = await (await open()).send({ path: '/api/cut' });
  assert.deepEqual([cut.status, cut.complete, cut.body], [200, false, 'half']);
});

test('functions of the user get the FastifyRequest', async (t) => {
  const origin = await originFor(t, echoes);
  const app = fastify({ trustProxy: true });
  app.register(evenkeel, {
    servers: [origin.url],
    prefix: '/api',
    forwardfor: { header: 'x-real-ip' },
    clientAddress: ({ request }) => request?.ip ?? '',
    httpRequest: [{ setHeader: ['x-id', ({ request }) => String(request?.id)] }],
  });
  const open = await listen(t, app);
  await (await open()).send({ path: '/api', fields: [['X-Forwarded-For', '192.0.2.7']] });
  const request = await origin.request(1);
  assert.deepEqual([request.field('x-real-ip'), request.field('x-id')], ['192.0.2.7', 'req-1']);
});

test('a body that a hook has read is sent from the bytes it kept, or refused in words', async (t) => {
  const origin = await originFor(t, echoes);
  const app = fastify();
  app.decorateRequest('rawBody');
  app.addHook('preParsing', async (request, _reply, payload) => {
    const chunks: Buffer[] = [];
    for await (const chunk of payload) chunks.push(chunk as Buffer);
    if (request.url === '/api/kept') Object.assign(request, { rawBody: Buffer.concat(chunks) });
    return payload;
  });
  app.register(evenkeel, { servers: [origin.url], prefix: '/api' });
  const open = await listen(t, app);
  const client = await open();
  const kept = await client.send({ method: 'POST', path: '/api/kept', body: 'kept', framing: 'chunked' });
  assert.equal((JSON.parse(kept.body) as Seen).body, 'kept');
  const lost = await client.send({
    method: 'POST',
    path: '/api/lost',
    body: 'lost',
    fields: [['accept', 'application/json']],
  });
  assert.equal(lost.status, 500);
  assert.match(lost.body, /EK_BODY_CONSUMED/);
});

test('a pool passed in stays open when Fastify closes; one made from options closes with it', async (t) => {
  const [shared, own] = [await originFor(t, answersOk()), await originFor(t, answersOk())];
  const pool = new Pool({ servers: [shared.url] });
  t.after(() => pool.close());
  const app = fastify();
  app.register(evenkeel, { pool, prefix: '/shared' });
  app.register(evenkeel, { servers: [own.url], prefix: '/own' });
  const open = await listen(t, app);
  const client = await open();
  assert.equal((await client.send({ path: '/shared' })).status, 200);
  assert.equal((await client.send({ path: '/own' })).status, 200);
  client.leave();
  await app.close();
  await own.connections[0]?.closed;
  assert.equal(shared.open, 1);
  const lease = pool.tryAcquire();
  assert.ok(lease);
  lease.release();
});

test('fastify.inject works: answers, bodies, streams and failures', async (t) => {
  const origin = await originFor(t, echoes);
  const app = fastify();
  t.after(() => app.close());
  app.addHook('onRequest', async (_request, reply) => void reply.header('x-hook', '1'));
  app.register(evenkeel, { servers: [origin.url], prefix: '/api' });
  app.register(evenkeel, { servers: [], prefix: '/none' });
  const got = await app.inject({ url: '/api/x', headers: { upgrade: 'websocket', connection: 'upgrade' } });
  assert.equal(got.json<Seen>().target, '/x');
  assert.deepEqual([got.headers['x-origin'], got.headers['x-hook']], ['1', '1']);
  const posted = await app.inject({ method: 'POST', url: '/api/x', payload: { a: 1 } });
  assert.equal(posted.json<Seen>().body, '{"a":1}');
  const streamed = await app.inject({ url: '/api/x', payloadAsStream: true });
  let text = '';
  for await (const chunk of streamed.stream()) text += chunk;
  assert.equal((JSON.parse(text) as Seen).target, '/x');
  assert.equal((await app.inject({ url: '/none' })).statusCode, 503);
  assert.equal((await app.inject({ method: 'POST', url: '/none', payload: 'x' })).statusCode, 503);
  assert.equal((await app.inject({ method: 'HEAD', url: '/api' })).body, '');
});

test('HTTP/2 requests are carried as others', async (t) => {
  const origin = await originFor(t, echoes);
  const app = fastify({ http2: true });
  app.addHook('onRequest', async (_request, reply) => void reply.header('x-hook', '1'));
  app.register(evenkeel, { servers: [origin.url], prefix: '/api' });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const client = await Http2Client.open((app.server.address() as { port: number }).port);
  t.after(() => {
    client.leave();
    return app.close();
  });
  const answer = await client.send({ method: 'POST', path: '/api/x', body: 'b', fields: [['content-type', 'junk']] });
  const seen = JSON.parse(answer.body) as Seen;
  assert.deepEqual([seen.method, seen.target, seen.body], ['POST', '/x', 'b']);
  assert.ok(seen.fields.some(([name, value]) => name === 'content-type' && value === 'junk'));
  assert.deepEqual([answer.field('x-hook'), answer.field('x-origin')], ['1', '1']);
});

test('every fault of mount and pool is in one ConfigError, and nothing is started', async () => {
  const faultsOf = async (options: unknown): Promise<string[]> => {
    const app = fastify();
    app.register(evenkeel, options as { servers: string[] });
    const error = await app.ready().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    await app.close();
    assert.ok(error instanceof ConfigError, String(error));
    return error.faults.map(({ path }) => path);
  };
  const faulty = { servers: ['not an address'], stripPrefix: 1, errorHandler: 'x', retries: -1 };
  assert.deepEqual(await faultsOf(faulty), ['stripPrefix', 'errorHandler', 'servers[0].address', 'retries']);
  assert.deepEqual(await faultsOf({ servers: [], graceMs: -1, rewriteUrl: 'x' }), ['rewriteUrl', 'graceMs']);
  assert.deepEqual(await faultsOf({ servers: [], onUnavailable: 'next', authorize: () => true }), [
    'onUnavailable',
    'authorize',
  ]);
  assert.deepEqual(await faultsOf({ pool: {}, prefx: '/x' }), ['pool', 'prefx']);
  assert.deepEqual(await faultsOf({ serverz: [] }), ['serverz']);
});
