import assert from 'node:assert/strict';
import type { PoolOptions } from '#src/index.ts';
import type { Case } from './case.ts';
import type { Stage } from './stage.ts';

type Fields = readonly (readonly [string, string])[];

/** What a server sees of these fields under these options. */
async function seen(
  stage: Stage,
  options: PoolOptions<never>,
  names: readonly string[],
  fields: Fields = [],
): Promise<(readonly string[])[]> {
  const { origin, front } = await stage.both(undefined, options);
  assert.equal((await front.send({ fields })).status, 200);
  const request = await origin.request(1);
  return names.map((name) => request.values(name));
}

const XFF = 'x-forwarded-for';

/** HAProxy `option forwardfor`, `option forwarded`; X-Forwarded-Proto and -Host; whose name is sent. */
export const forwardingFieldsCases: readonly Case[] = [
  {
    name: 'by default nothing is added, and the client’s Host is kept',
    async run(stage) {
      const names = [XFF, 'x-forwarded-proto', 'x-forwarded-host', 'forwarded', 'via', 'host'];
      assert.deepEqual(await seen(stage, {}, names), [[], [], [], [], [], ['front.test']]);
    },
  },
  {
    name: 'what a client says of these fields passes while we say nothing',
    async run(stage) {
      const fields = [
        ['X-Forwarded-For', '1.2.3.4'],
        ['Forwarded', 'for=1.2.3.4'],
      ] as const;
      assert.deepEqual(await seen(stage, {}, [XFF, 'forwarded'], fields), [['1.2.3.4'], ['for=1.2.3.4']]);
    },
  },
  {
    name: 'forwardfor adds a line of its own behind the client’s',
    async run(stage) {
      const fields = [['X-Forwarded-For', '1.2.3.4']] as const;
      assert.deepEqual(await seen(stage, { forwardfor: true }, [XFF], fields), [['1.2.3.4', '127.0.0.1']]);
    },
  },
  {
    name: 'forwardfor: ifNone, except, header',
    async run(stage) {
      const fields = [['X-Forwarded-For', '1.2.3.4']] as const;
      assert.deepEqual(await seen(stage, { forwardfor: { ifNone: true } }, [XFF], fields), [['1.2.3.4']]);
      assert.deepEqual(await seen(stage, { forwardfor: { ifNone: true } }, [XFF]), [['127.0.0.1']]);
      assert.deepEqual(await seen(stage, { forwardfor: { except: '127.0.0.0/8' } }, [XFF]), [[]]);
      assert.deepEqual(await seen(stage, { forwardfor: { except: ['10.0.0.0/8', '::1'] } }, [XFF]), [['127.0.0.1']]);
      assert.deepEqual(await seen(stage, { forwardfor: { header: 'X-Client' } }, ['x-client', XFF]), [
        ['127.0.0.1'],
        [],
      ]);
    },
  },
  {
    name: 'clientAddress says who the client is',
    async run(stage) {
      const clientAddress = (): string => '2001:db8::7';
      assert.deepEqual(await seen(stage, { forwardfor: true, forwarded: true, clientAddress }, [XFF, 'forwarded']), [
        ['2001:db8::7'],
        ['proto=http;for="[2001:db8::7]"'],
      ]);
    },
  },
  {
    name: 'a clientAddress that fails is reported, and the request goes on',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, {
        forwardfor: true,
        clientAddress: () => {
          throw new Error('oops');
        },
      });
      assert.equal((await front.send()).status, 200);
      assert.deepEqual((await origin.request(1)).values(XFF), []);
      assert.equal(front.faults[0]?.sample, 'clientAddress');
    },
  },
  {
    name: 'a clientAddress that gives junk is no smuggled field',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, {
        forwardfor: true,
        clientAddress: () => '1.2.3.4\r\nX-Evil: 1',
      });
      const answer = await front.send();
      assert.ok(answer.complete);
      for (const request of origin.requests) assert.equal(request.field('x-evil'), undefined);
    },
  },
  {
    name: 'forwarded (RFC 7239): proto and for, or what is asked for, behind the client’s own',
    async run(stage) {
      const all = { proto: true, host: true, by: true, for: true };
      assert.deepEqual(await seen(stage, { forwarded: true }, ['forwarded']), [['proto=http;for=127.0.0.1']]);
      assert.deepEqual(await seen(stage, { forwarded: all }, ['forwarded']), [
        ['proto=http;host="front.test";by=127.0.0.1;for=127.0.0.1'],
      ]);
      const fields = [['Forwarded', 'for=1.2.3.4']] as const;
      assert.deepEqual(await seen(stage, { forwarded: { for: true } }, ['forwarded'], fields), [
        ['for=1.2.3.4, for=127.0.0.1'],
      ]);
    },
  },
  {
    name: 'forwardedHeaders take the place of what the client says',
    async run(stage) {
      const fields = [
        ['X-Forwarded-Proto', 'https'],
        ['X-Forwarded-Host', 'evil.test'],
      ] as const;
      const options = { forwardedHeaders: { proto: true, host: true } };
      const names = ['x-forwarded-proto', 'x-forwarded-host'];
      assert.deepEqual(await seen(stage, options, names, fields), [['http'], ['front.test']]);
      assert.deepEqual(await seen(stage, { forwardedHeaders: { proto: true } }, names, fields), [
        ['http'],
        ['evil.test'],
      ]);
    },
  },
  {
    name: 'changeOrigin sends the server’s own name',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, { changeOrigin: true, forwardedHeaders: { host: true } });
      assert.equal((await front.send()).status, 200);
      const request = await origin.request(1);
      assert.deepEqual(
        [request.values('host'), request.values('x-forwarded-host')],
        [[`127.0.0.1:${origin.port}`], ['front.test']],
      );
    },
  },
];
