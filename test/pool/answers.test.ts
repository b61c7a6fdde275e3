import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ConfigError, Pool, type PoolOptions } from '#src/index.ts';
import type { Answer } from '../support/client-exchange.ts';
import { RawClient } from '../support/raw-client.ts';

const folder = mkdtempSync(join(tmpdir(), 'evenkeel-answers-'));
after(() => rmSync(folder, { recursive: true }));

/** What a client of a pool without servers gets. */
async function answerOf(
  options: PoolOptions,
  {
    fields = [],
    method = 'GET',
    before = {},
  }: { fields?: [string, string][]; method?: string; before?: Record<string, string> } = {},
): Promise<Answer & { reported: string[] }> {
  const pool = new Pool(options);
  const reported: string[] = [];
  pool.on('sample:error', ({ sample, error }) => reported.push(`${sample}: ${(error as Error).message}`));
  const handle = pool.middleware();
  const front = createServer((request, response) => {
    for (const [name, value] of Object.entries(before)) response.setHeader(name, value);
    handle(request, response);
  });
  await once(front.listen(0, '127.0.0.1'), 'listening');
  const client = await RawClient.open((front.address() as AddressInfo).port);
  const answer = await client.send({ fields, method });
  client.leave();
  front.close();
  await pool.close();
  assert.ok(answer.complete);
  return Object.assign(answer, { reported });
}

test('an answer of ours is small, names no server, and is JSON for who asks for JSON and not for HTML', async () => {
  const plain = await answerOf({});
  assert.deepEqual(
    [plain.status, plain.body, plain.field('content-type')],
    [503, '503 Service Unavailable\n', 'text/plain; charset=utf-8'],
  );
  assert.equal(plain.field('cache-control'), 'no-cache');
  const json = await answerOf({}, { fields: [['Accept', 'application/json, */*']] });
  assert.deepEqual(JSON.parse(json.body), { status: 503, error: 'Service Unavailable', code: 'EK_NO_SERVER' });
  const browser = await answerOf({}, { fields: [['Accept', 'text/html, application/json']] });
  assert.equal(browser.field('content-type'), 'text/plain; charset=utf-8');
});

test('HEAD gets the head alone', async () => {
  const answer = await answerOf({}, { method: 'HEAD' });
  assert.deepEqual([answer.status, answer.body, answer.field('content-length')], [503, '', '24']);
});

test('what earlier middleware has said of a body is not said of ours; the rest stays', async () => {
  const answer = await answerOf(
    {},
    { before: { 'content-encoding': 'gzip', etag: '"a"', 'content-length': '99', 'x-request-id': '7' } },
  );
  assert.deepEqual(
    [
      answer.field('content-encoding'),
      answer.field('etag'),
      answer.field('content-length'),
      answer.field('x-request-id'),
    ],
    [undefined, undefined, '24', '7'],
  );
});

test('errorfiles: an answer, a function that gives one, a file that holds a whole message', async () => {
  const fixed = await answerOf({ errorfiles: { 503: { status: 500, headers: { 'X-A': ['1', '2'] }, body: 'sorry' } } });
  assert.deepEqual([fixed.status, fixed.body, fixed.values('x-a')], [500, 'sorry', ['1', '2']]);

  const made = await answerOf({ errorfiles: { 503: ({ method, url }) => ({ body: `${method} ${url}` }) } });
  assert.deepEqual([made.status, made.body], [503, 'GET /']);

  const file = join(folder, '503.http');
  writeFileSync(
    file,
    'HTTP/1.0 503 Gone fishing\nContent-Type: text/html\nContent-Length: 999\nConnection: close\n\n<h1>later</h1>\n\n\xff',
    'latin1',
  );
  const message = await answerOf({ errorfiles: { 503: { file } } });
  assert.deepEqual(
    [message.status, message.body, message.field('content-type'), message.field('content-length')],
    [503, '<h1>later</h1>\n\n\xff', 'text/html', '17'],
  );
});

test('a function that fails is reported, and our own answer is given', async () => {
  const thrown = await answerOf({
    errorfiles: {
      503: () => {
        throw new Error('broken');
      },
    },
  });
  assert.deepEqual(
    [thrown.status, thrown.body, thrown.reported],
    [503, '503 Service Unavailable\n', ['errorfiles.503: broken']],
  );
  const rubbish = await answerOf({ errorfiles: { 503: () => ({ headers: { 'x-a': 'a\nb' } }) } });
  assert.deepEqual([rubbish.status, rubbish.reported.length], [503, 1]);
  const promised = await answerOf({ errorfiles: { 503: (async () => ({ body: 'late' })) as never } });
  assert.deepEqual([promised.body, promised.reported.length], ['503 Service Unavailable\n', 1]);
});

test('a status without a body gets none, and no length', async () => {
  const answer = await answerOf({ errorfiles: { 503: { status: 204, body: 'x' } } });
  assert.deepEqual([answer.status, answer.body, answer.field('content-length')], [204, '', undefined]);
});

test('errorfiles that cannot be used are faults at construction', () => {
  const broken = join(folder, 'broken.http');
  writeFileSync(broken, 'HTTP/1.1 503 x\r\nno colon\r\n\r\n');
  const headless = join(folder, 'headless.http');
  writeFileSync(headless, '<h1>no head</h1>');
  const cases: [PoolOptions['errorfiles'], RegExp][] = [
    [{ 418: { body: 'tea' } }, /errorfiles\.418: "418" is not a status we answer with; allowed: 400, 401/],
    [{ 503: { body: 5 as never } }, /errorfiles\.503\.body: 5 is not allowed; allowed: a string or a Buffer/],
    [{ 503: { status: 101 } }, /errorfiles\.503\.status: .*from 200 to 599/],
    [{ 503: { headers: { 'a b': 'x' } } }, /errorfiles\.503\.headers: the field "a b" cannot be sent/],
    [
      { 503: { headers: { 'Transfer-Encoding': 'chunked' } } },
      /errorfiles\.503\.headers: the field "Transfer-Encoding" cannot be sent/,
    ],
    [{ 503: { headers: { connection: 'close' } } }, /errorfiles\.503\.headers: the field "connection" cannot be sent/],
    [{ 503: { file: join(folder, 'none') } }, /errorfiles\.503\.file: cannot be used: ENOENT/],
    [{ 503: { file: broken } }, /errorfiles\.503\.file: cannot be used: an illegal field name/],
    [{ 503: { file: headless } }, /errorfiles\.503\.file: cannot be used: no empty line ends its head/],
    [{ 503: { text: 'x' } as never }, /errorfiles\.503\.text: is not an option/],
    ['./503.http' as never, /errorfiles: "\.\/503\.http" is not an object/],
  ];
  for (const [errorfiles, message] of cases)
    assert.throws(
      () => new Pool({ ...(errorfiles && { errorfiles }) }),
      (error) => error instanceof ConfigError && message.test(error.message),
      String(message),
    );
});

test('Retry-After stands in answers to those who found every server full, in whole seconds', async () => {
  const options = { retryAfter: '1500ms', servers: [{ address: '127.0.0.1:1', maxconn: 1 }] } as const;
  const pool = new Pool(options);
  const lease = await pool.acquire();
  const front = createServer(pool.middleware());
  await once(front.listen(0, '127.0.0.1'), 'listening');
  const client = await RawClient.open((front.address() as AddressInfo).port);
  const full = await client.send();
  assert.deepEqual([full.status, full.field('retry-after')], [503, '2']);
  lease.release();
  client.leave();
  front.close();
  await pool.close();
  const none = await answerOf({ retryAfter: '1500ms' });
  assert.deepEqual([none.status, none.field('retry-after')], [503, undefined], 'not where there is no server at all');
});
