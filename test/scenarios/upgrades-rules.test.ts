import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pool, type RequestEvent, type RequestRule } from '#src/index.ts';
import { startFront, UPGRADE_FRONTS } from '../support/upgrade-fronts.ts';
import { UpgradeClient, UpgradeOrigin, upgradeRequest } from '../support/upgrade-origin.ts';

/** The end of the next request. */
function end(pool: Pool<never>): Promise<RequestEvent> {
  return new Promise((resolve) => pool.once('request', resolve));
}

const ANSWERS: readonly [rule: RequestRule<never>, status: RegExp, flags: string][] = [
  [{ deny: true }, /^HTTP\/1\.1 403 Forbidden\r\n.*403 Forbidden\n$/s, 'PR'],
  [{ tarpit: true }, /^HTTP\/1\.1 500 .*500 Internal Server Error\n$/s, 'PT'],
  [{ return: { status: 426, body: 'no' } }, /^HTTP\/1\.1 426 .*no$/s, 'LR'],
  [
    { redirect: { scheme: 'https' } },
    /^HTTP\/1\.1 302 .*location: https:\/\/front\.test\/chat\?a\r\n.*\r\n\r\n$/is,
    'LR',
  ],
];

for (const front of UPGRADE_FRONTS) {
  test(`${front.name}: an upgrade that a rule answers gets an ordinary answer, and its connection ends`, async (t) => {
    const origin = await UpgradeOrigin.start(t);
    for (const [rule, answer, flags] of ANSWERS) {
      const pool = new Pool({ servers: [origin.url], timeout: { tarpit: 10 }, httpRequest: [rule] });
      const { port } = await startFront(t, front, pool);
      const client = await UpgradeClient.open(t, port);
      const ended = end(pool);
      client.socket.write(upgradeRequest('/chat?a'));
      await client.ended;
      client.socket.end();
      await client.closed;
      assert.match(client.text, answer);
      assert.match(client.text, /\r\nconnection: close\r\n/i);
      const event = await ended;
      assert.deepEqual([event.flags, event.server], [flags, undefined]);
    }
    assert.equal(origin.requests.length, 0);
  });

  test(`${front.name}: an upgrade whose client leaves the tarpit is over: CT`, async (t) => {
    const entered = Promise.withResolvers<void>();
    const pool = new Pool<never>({
      timeout: { tarpit: 'infinite' },
      httpRequest: [{ call: () => entered.resolve() }, { tarpit: true }],
    });
    const { port } = await startFront(t, front, pool);
    const client = await UpgradeClient.open(t, port);
    const ended = end(pool);
    client.socket.write(upgradeRequest('/chat'));
    await entered.promise;
    client.socket.end();
    const event = await ended;
    assert.deepEqual([event.flags, event.status, pool.stats().active], ['CT', 499, 0]);
    await client.closed;
  });

  test(`${front.name}: a 101 that a rule denies is a 502, and the server's connection ends`, async (t) => {
    const origin = await UpgradeOrigin.start(t);
    const pool = new Pool({ servers: [origin.url], httpResponse: [{ deny: true }] });
    const { port } = await startFront(t, front, pool);
    const client = await UpgradeClient.open(t, port);
    client.socket.write(upgradeRequest('/chat'));
    await client.ended;
    client.socket.end();
    assert.match(client.text, /^HTTP\/1\.1 502 /);
    await (await origin.request(1)).ended;
  });
}
