import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Pool, type PoolOptions, type RequestEvent } from '#src/index.ts';
import { startFront, UPGRADE_FRONTS, type UpgradeFront } from '../support/upgrade-fronts.ts';
import {
  switching,
  UpgradeClient,
  UpgradeOrigin,
  type UpgradeRequest,
  upgradeRequest,
} from '../support/upgrade-origin.ts';

const LIMIT = { timeout: 20_000 };
const ENGINES: readonly NonNullable<PoolOptions['engine']>[] = ['http1', 'http-proxy-3'];

interface Scene {
  readonly a: UpgradeOrigin;
  readonly b: UpgradeOrigin;
  readonly pool: Pool;
  readonly port: number;
}

async function scene(
  t: TestContext,
  front: UpgradeFront,
  options: PoolOptions,
  act: (request: UpgradeRequest) => void = ({ socket }) => void socket.write(switching()),
): Promise<Scene> {
  // Ends its side of a tunnel when its client does.
  const ending = (request: UpgradeRequest): void => {
    request.ended.then(() => request.socket.end());
    act(request);
  };
  const [a, b] = [await UpgradeOrigin.start(t, ending), await UpgradeOrigin.start(t, ending)];
  const servers = [
    { name: 'a', address: a.url, cookie: 'a' },
    { name: 'b', address: b.url, cookie: 'b' },
  ];
  const pool = new Pool({ servers, cookie: 'SRV insert indirect', ...options });
  return { a, b, pool, port: (await startFront(t, front, pool)).port };
}

/** Asks for an upgrade, and gives the cookies of the answer's head once that is there. */
async function ask(
  t: TestContext,
  port: number,
  ...lines: string[]
): Promise<{ client: UpgradeClient; set: string[]; status: number }> {
  const client = await UpgradeClient.open(t, port);
  client.socket.write(upgradeRequest('/', ...lines));
  await client.until(/\r\n\r\n/);
  const head = client.text.slice(0, client.text.indexOf('\r\n\r\n'));
  const set = [...head.matchAll(/^set-cookie: (.*)$/gim)].map(([, value]) => value?.trim() ?? '');
  return { client, set, status: Number(head.split(' ')[1]) };
}

/** The end of the next request. */
function end(pool: Pool): Promise<RequestEvent> {
  return new Promise((resolve) => pool.once('request', resolve));
}

async function endOf(pool: Pool, client: UpgradeClient): Promise<string> {
  const ended = end(pool);
  client.socket.destroy();
  const { server, cookieFlags } = await ended;
  return `${server} ${cookieFlags}`;
}

for (const front of UPGRADE_FRONTS)
  for (const engine of ENGINES) {
    test(
      `${front.name}, ${engine}: a 101 carries the cookie beside those of the server, and the next upgrade follows it`,
      LIMIT,
      async (t) => {
        const { a, pool, port } = await scene(t, front, { engine }, ({ socket }) =>
          socket.write(switching('Set-Cookie: sid=1')),
        );
        const first = await ask(t, port);
        assert.deepEqual([first.status, first.set], [101, ['sid=1', 'SRV=a; path=/']]);
        assert.equal(await endOf(pool, first.client), 'a NI');
        const next = await ask(t, port, 'Cookie: sid=1; SRV=a');
        assert.deepEqual([next.status, next.set], [101, ['sid=1']]);
        const { head, socket } = await a.request(2);
        assert.match(head, /^cookie: sid=1\r?$/im);
        socket.write('through the tunnel');
        await next.client.until(/through the tunnel$/);
        assert.equal(await endOf(pool, next.client), 'a VN');
      },
    );

    test(
      `${front.name}, ${engine}: an upgrade whose server is gone is one of another's, DI; one that is refused is told the cookie, too`,
      LIMIT,
      async (t) => {
        const { a, b, pool, port } = await scene(t, front, { engine });
        a.stop();
        const moved = await ask(t, port, 'Cookie: SRV=a');
        assert.deepEqual([moved.status, moved.set], [101, ['SRV=b; path=/']]);
        assert.equal(await endOf(pool, moved.client), 'b DI');
        const refusing = await scene(t, front, { engine }, ({ socket }) =>
          socket.write('HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n'),
        );
        const ended = end(refusing.pool);
        const refused = await ask(t, refusing.port);
        assert.deepEqual([refused.status, refused.set], [403, ['SRV=a; path=/']]);
        assert.equal((await ended).cookieFlags, 'NI');
        assert.equal(b.requests.length, 1);
      },
    );
  }
