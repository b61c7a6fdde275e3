import assert from 'node:assert/strict';
import type { AttachOptions } from '#src/index.ts';
import type { Case } from './case.ts';
import type { OpenFront, Stage } from './stage.ts';

type Verdict = ReturnType<NonNullable<AttachOptions['authorize']>>;

/** `authorize` that gives this verdict, and a front behind it. */
async function judging(stage: Stage, verdict: () => Verdict): Promise<OpenFront> {
  const origin = await stage.origin();
  return stage.open({ servers: [origin.url] }, { attach: { authorize: verdict } });
}

/** `pool.attach(server, { path, authorize })`. */
export const attachingCases: readonly Case[] = [
  {
    name: 'only targets at or below the path are carried, in full; others are a 404',
    needs: 'checkContinue',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, {}, { attach: { path: '/api/' } });
      for (const path of ['/api', '/api/', '/api/a?b', '/api?a'])
        assert.equal((await front.send({ path })).status, 200, path);
      for (const path of ['/', '/apis', '/ap', '//api', '/x/api'])
        assert.equal((await front.send({ path })).status, 404, path);
      const expecting = { method: 'POST', framing: 3, path: '/other', fields: [['Expect', '100-continue']] } as const;
      assert.equal((await front.send(expecting)).status, 404);
      assert.deepEqual(
        origin.requests.map(({ target }) => target),
        ['/api', '/api/', '/api/a?b', '/api?a'],
      );
    },
  },
  {
    name: 'authorize lets in, refuses, or answers; at once or later',
    needs: 'checkContinue',
    async run(stage) {
      const denial = { status: 401, headers: { 'www-authenticate': 'Basic' }, body: 'who?' };
      const verdicts: readonly (readonly [() => Verdict, number, string])[] = [
        [() => true, 200, 'ok'],
        [() => false, 403, '403 Forbidden\n'],
        [() => undefined, 403, '403 Forbidden\n'],
        [() => denial, 401, 'who?'],
        [() => Promise.resolve(true), 200, 'ok'],
        [() => Promise.resolve(false), 403, '403 Forbidden\n'],
        [() => new Promise((resolve) => setImmediate(resolve, denial)), 401, 'who?'],
      ];
      for (const [verdict, status, body] of verdicts) {
        const front = await judging(stage, verdict);
        const answer = await front.send({ method: 'POST', body: 'abc' });
        assert.deepEqual([answer.status, answer.body], [status, body]);
        if (status === 401) assert.equal(answer.field('www-authenticate'), 'Basic');
      }
    },
  },
  {
    name: 'an authorize that throws or rejects is a 500, and reported',
    needs: 'checkContinue',
    async run(stage) {
      const fails = (): never => {
        throw new Error('oops');
      };
      for (const verdict of [fails, () => Promise.reject(new Error('oops'))]) {
        const front = await judging(stage, verdict);
        assert.equal((await front.send()).status, 500);
        assert.equal(front.faults[0]?.sample, 'authorize');
      }
    },
  },
  {
    name: 'a body waits while authorize makes up its mind, and is whole then',
    needs: 'checkContinue',
    async run(stage) {
      const origin = await stage.origin();
      const decision = Promise.withResolvers<boolean>();
      const front = await stage.open({ servers: [origin.url] }, { attach: { authorize: () => decision.promise } });
      const body = 'x'.repeat(100_000);
      const exchange = await front.start({ method: 'POST', body });
      setImmediate(() => decision.resolve(true));
      assert.equal((await exchange.end).status, 200);
      assert.equal(await (await origin.request(1)).body(), body);
    },
  },
  {
    name: 'a client that leaves while authorize makes up its mind costs nothing',
    needs: 'checkContinue',
    async run(stage) {
      const origin = await stage.origin();
      const decision = Promise.withResolvers<boolean>();
      const asked = Promise.withResolvers<void>();
      const authorize = (): Promise<boolean> => {
        asked.resolve();
        return decision.promise;
      };
      const front = await stage.open({ servers: [origin.url] }, { attach: { authorize } });
      const client = await front.client();
      client.start();
      await asked.promise;
      client.leave();
      await client.closed;
      decision.resolve(true);
      assert.equal((await front.send()).status, 200);
      assert.equal(front.pool.stats().active, 0);
    },
  },
  {
    name: 'CONNECT is a 501',
    needs: 'checkContinue',
    async run(stage) {
      const { origin, front } = await stage.both();
      const client = await front.client();
      const exchange = client.start({ method: 'CONNECT', path: 'a.test:443', host: 'a.test:443' });
      const answer = await exchange.end;
      assert.equal(answer.status, 501);
      assert.equal(origin.requests.length, 0);
    },
  },
  {
    name: 'Upgrade: h2c is not an upgrade that we know: the request is carried as any other, or refused; no hang',
    needs: ['checkContinue', 'http1'],
    async run(stage) {
      const { origin, front } = await stage.both();
      const fields = [
        ['Connection', 'Upgrade, HTTP2-Settings'],
        ['Upgrade', 'h2c'],
        ['HTTP2-Settings', 'AAMAAABkAAQAAP__'],
      ] as const;
      assert.equal((await front.send({ fields })).status, 200);
      const posted = await front.send({ method: 'POST', body: 'abc', fields });
      assert.ok(posted.complete, `${posted.status} ${posted.ended}`);
      for (const request of origin.requests) {
        assert.equal(request.field('upgrade'), undefined);
        if (request.method === 'POST' && posted.status === 200) assert.equal(await request.body(), 'abc');
      }
    },
  },
];
