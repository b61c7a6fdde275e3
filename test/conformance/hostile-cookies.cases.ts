import assert from 'node:assert/strict';
import type { CookieOption } from '#src/index.ts';
import type { Field } from '../support/message-reader.ts';
import { type Origin, ok } from '../support/origin.ts';
import type { Case } from './case.ts';
import type { OpenFront, Stage } from './stage.ts';

const KEY = 'a key of 16 bytes';
const DATED = 'SRV insert indirect maxidle 30m maxlife 8h';
const SIGNED = { name: 'SRV', mode: 'insert', indirect: true, sign: { keys: [KEY] } } as const;
const COOKIES = {
  plain: 'SRV insert indirect',
  dated: DATED,
  signed: SIGNED,
  'signed and dated': { ...SIGNED, maxidle: '30m', maxlife: '8h' },
} as const satisfies Record<string, CookieOption>;

/** As much as Node takes by default, or 64 KiB where it can be told to take more. */
const mostOf = (stage: Stage): number => (stage.http1 ? 65_536 : 15_000);

interface Tried {
  readonly origins: readonly Origin[];
  readonly front: OpenFront;
}

/** A pool of `a` and `b` that takes long heads. */
async function pair(stage: Stage, cookie: CookieOption): Promise<Tried> {
  const origins = [];
  for (const name of ['a', 'b']) origins.push(await stage.origin((request) => request.reply(ok(name))));
  const servers = origins.map(({ url }, at) => ({ name: 'ab'.charAt(at), address: url, cookie: 'ab'.charAt(at) }));
  return { origins, front: await stage.open({ servers, cookie }, { maxHeaderSize: 131_072 }) };
}

/** Sends what a client might: some server answers, and what that sets leads back to it. Gives what became of cookies. */
async function survives({ front, origins }: Tried, ...values: readonly string[]): Promise<string> {
  const [nth, asked] = [front.events.length + 1, origins.map(({ requests }) => requests.length)];
  const fields: Field[] = values.map((value) => ['Cookie', value]);
  const answer = await front.send({ fields });
  const shown = JSON.stringify(values).slice(0, 100);
  assert.deepEqual([answer.status, answer.complete, 'ab'.includes(answer.body)], [200, true, true], shown);
  const count = origins.map(({ requests }, at) => requests.length - (asked[at] ?? 0));
  assert.deepEqual(count, answer.body === 'a' ? [1, 0] : [0, 1], shown);
  const { cookieFlags } = await front.event(nth);
  const set = answer.values('set-cookie');
  // Who is on its server already is not sent its cookie again, dates aside.
  if (set.length === 0) assert.match(cookieFlags, /^V/, shown);
  else assert.match(set.join(' and '), /^SRV=[ab][^ ]*; path=\/$/, shown);
  const back = set[0] === undefined ? fields : [['Cookie', String(set[0].split(';')[0])] as const];
  assert.equal((await front.send({ fields: back })).body, answer.body, shown);
  assert.match((await front.event(nth + 1)).cookieFlags, /^V/, shown);
  return cookieFlags;
}

/** What clients may write into a `Cookie` field. */
export const hostileCookiesCases: readonly Case[] = [
  {
    name: 'a field as long as can be: one value, thousands of cookies, the name over and over, blanks, bare delimiters',
    async run(stage) {
      for (const kind of ['plain', 'signed and dated'] as const) {
        const tried = await pair(stage, COOKIES[kind]);
        const most = mostOf(stage);
        const filled = (piece: string): string => piece.repeat(Math.floor(most / piece.length)).trim();
        assert.equal(await survives(tried, `SRV=${'x'.repeat(most - 4)}`), 'II');
        for (const piece of [
          'a=1; ',
          'SRV=nobody; ',
          'SRV=; ',
          'SRV; ',
          'SRV ',
          'SRV=a|',
          'SRV=a.',
          ';',
          ', ;',
          '=',
          '$a;',
          '"',
        ])
          await survives(tried, filled(piece));
        await survives(tried, `x="${filled('SRV=a; ').slice(0, -4)}`);
        await survives(tried, `x=${'\t '.repeat(most / 2 - 2)}1`);
      }
    },
  },
  {
    name: 'of a name that is there hundreds of times the first that leads somewhere counts, and the server sees none',
    async run(stage) {
      const tried = await pair(stage, 'SRV insert indirect');
      const value = `${'SRV=no; '.repeat(400)}SRV=b; ${'SRV=a; '.repeat(400)}k=v`;
      for (let i = 0; i < 2; i++) assert.equal(await survives(tried, value), 'VN');
      const [a, b] = tried.origins;
      assert.deepEqual(
        [a?.requests.length, b?.requests.flatMap((request) => request.values('cookie'))],
        [0, ['k=v', 'k=v', 'k=v', 'k=v']],
      );
    },
  },
  {
    name: 'thousands of cookies go on to the server, without ours among them',
    async run(stage) {
      const { front, origins } = await pair(stage, 'SRV insert indirect');
      const count = Math.floor(mostOf(stage) / 14);
      const others = Array.from({ length: count }, (_, at) => `c${at}=${at}`);
      const fields = [['Cookie', [...others.slice(0, 500), 'SRV=b', ...others.slice(500)].join('; ')]] as const;
      assert.equal((await front.send({ fields })).body, 'b');
      assert.equal((await origins[1]?.request(1))?.field('cookie'), others.join('; '));
    },
  },
  {
    name: 'bytes above ASCII, quotes, backslashes and tabs',
    async run(stage) {
      const high = Array.from({ length: 128 }, (_, at) => String.fromCharCode(128 + at)).join('');
      for (const cookie of Object.values(COOKIES)) {
        const tried = await pair(stage, cookie);
        for (const value of [
          high,
          `SRV=${high}`,
          `${high}=1; SRV=${high}|${high}|${high}`,
          'SRV="a',
          'SRV="a"',
          'SRV=a"; x="',
          'SRV="a\\"; SRV=b',
          'x="\\\\\\"; SRV=b',
          'SRV=\\a',
          'SRV=\ta\t',
          '\tSRV\t=\tb\t;',
          'SRV=a,SRV=b',
          '$Version=1; SRV=a; $Path="/"; $Domain=x',
          'SRV==a',
          'SRV=a=b',
          "SRV='a'",
          'SRV=%61',
          'srv=a; SRVX=a; XSRV=a; SRV =a ',
          '__proto__=a; SRV=__proto__; constructor=toString',
        ])
          await survives(tried, value);
      }
    },
  },
  {
    name: 'forged dates: far in the future, negative, of no base64, too short, too long, too many',
    async run(stage) {
      for (const cookie of Object.values(COOKIES)) {
        const tried = await pair(stage, cookie);
        for (const date of [
          '/////',
          'AAAAA',
          'gAAAA',
          '+++++',
          'AAAAB',
          '!!!!!',
          'é____',
          'A',
          '',
          ' ',
          '-1',
          '0x7f',
          '9'.repeat(9_000),
        ])
          for (const value of [`a|${date}`, `a|${date}|${date}`]) await survives(tried, `SRV=${value}`);
      }
    },
  },
  {
    name: 'who gives itself a date of its own does not escape maxidle and maxlife',
    async run(stage) {
      const tried = await pair(stage, DATED);
      assert.equal(await survives(tried, 'SRV=b|/////|/////'), 'OI', 'far in the future, as a signed number: long ago');
      assert.equal(await survives(tried, 'SRV=b|fffff|fffff'), 'OI', 'in 2104');
      assert.equal(await survives(tried, 'SRV=b|AAAAB'), 'EI', 'in 1970');
      assert.equal(await survives(tried, 'SRV=b|!!!!!|!!!!!'), 'VU', 'what is no date is none');
      assert.equal(await survives(tried, 'SRV=b'), 'VU');
    },
  },
  {
    name: 'cookies of other pools name no server here: neither their values, nor what the same key has signed for another name',
    async run(stage) {
      const tried = await pair(stage, SIGNED);
      const elsewhere = await stage.open({
        servers: [{ address: tried.origins[0]?.url as string, cookie: 'b' }],
        cookie: { ...SIGNED, name: 'OTHER' },
      });
      const foreign = /^OTHER=([^;]+)/.exec((await elsewhere.send()).field('set-cookie') ?? '')?.[1] ?? '';
      assert.match(foreign, /^b\.[\w-]{22}$/);
      for (const value of [foreign, 'b', `b.${'A'.repeat(22)}`, `${foreign}.`, 'c.', '.', `.${foreign}`])
        assert.equal(await survives(tried, `SRV=${value}`), 'II', value);
      assert.equal(await survives(tried, `OTHER=${foreign}; x=SRV=b`), 'NI');
      // Its own, with the name changed back, or with another server's name before the signature.
      const own = /^SRV=([^;]+)/.exec((await tried.front.send()).field('set-cookie') ?? '')?.[1] ?? '';
      assert.equal(await survives(tried, `SRV=${own}`), 'VN');
      const forged = (own.startsWith('a') ? 'b' : 'a') + own.slice(1);
      assert.equal(await survives(tried, `SRV=${forged}`), 'II');
    },
  },
];
