import assert from 'node:assert/strict';
import type { Case } from './case.ts';

const BODY = 'Content-Length: 5\r\n\r\nhello';

/** Whole messages, each bad in one way: RFC 9112 and HAProxy's h1.c refuse most of them, and so do we the rest. */
const BAD_HEADS: Readonly<Record<string, string>> = {
  'no HTTP': 'hello, world\r\n\r\n',
  'an SSH banner': 'SSH-2.0-OpenSSH_9.9\r\n\r\n',
  'a version of its own': `HTTP/2.0 200 OK\r\n${BODY}`,
  'HTTP/1.2': `HTTP/1.2 200 OK\r\n${BODY}`,
  'a lower-case version': `http/1.1 200 OK\r\n${BODY}`,
  'no space behind the version': `HTTP/1.1200 OK\r\n${BODY}`,
  'two spaces behind the version': `HTTP/1.1  200 OK\r\n${BODY}`,
  'a status of letters': `HTTP/1.1 2OO OK\r\n${BODY}`,
  'a status of two digits': `HTTP/1.1 20 OK\r\n${BODY}`,
  'a status of four digits': `HTTP/1.1 2000 OK\r\n${BODY}`,
  'status 000': `HTTP/1.1 000 OK\r\n${BODY}`,
  'a control in the reason': `HTTP/1.1 200 O\x07K\r\n${BODY}`,
  'a bare CR in the reason': `HTTP/1.1 200 O\rK\r\n${BODY}`,
  'bare line feeds': `HTTP/1.1 200 OK\n${BODY.replaceAll('\r', '')}`,
  'one bare line feed': `HTTP/1.1 200 OK\r\nX-A: 1\n${BODY}`,
  'a NUL in a value': `HTTP/1.1 200 OK\r\nX-A: a\0b\r\n${BODY}`,
  'a bare CR in a value': `HTTP/1.1 200 OK\r\nX-A: a\rb\r\n${BODY}`,
  'a control in a value': `HTTP/1.1 200 OK\r\nX-A: a\x1bb\r\n${BODY}`,
  'DEL in a value': `HTTP/1.1 200 OK\r\nX-A: a\x7fb\r\n${BODY}`,
  'a folded line': `HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\n${BODY}`,
  'a first line that is folded': `HTTP/1.1 200 OK\r\n X-A: 1\r\n${BODY}`,
  'a space before the colon': `HTTP/1.1 200 OK\r\nX-A : 1\r\n${BODY}`,
  'a space in a name': `HTTP/1.1 200 OK\r\nX A: 1\r\n${BODY}`,
  'an empty name': `HTTP/1.1 200 OK\r\n: 1\r\n${BODY}`,
  'a field without a colon': `HTTP/1.1 200 OK\r\nX-A\r\n${BODY}`,
  'a name that is not ASCII': `HTTP/1.1 200 OK\r\nX-\xe9: 1\r\n${BODY}`,
  'a bracket in a name': `HTTP/1.1 200 OK\r\nX(A: 1\r\n${BODY}`,
  'a head of more than 16 KiB': `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(16_384)}\r\n${BODY}`,
  'more than 101 fields': `HTTP/1.1 200 OK\r\n${'X-A: 1\r\n'.repeat(101)}${BODY}`,
  'a length of letters': 'HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello',
  'an empty length': 'HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello',
  'a negative length': 'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello',
  'a length with a sign': 'HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello',
  'a hexadecimal length': 'HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello',
  'a length with a point': 'HTTP/1.1 200 OK\r\nContent-Length: 5.0\r\n\r\nhello',
  'a length in two words': 'HTTP/1.1 200 OK\r\nContent-Length: 5 5\r\n\r\nhello',
  'a length beyond all numbers': 'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello',
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello',
  'a list of two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello',
  'a length and chunks': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'chunks and a length': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
  'chunks in HTTP/1.0': 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'another coding': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello',
  'two codings': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  'chunked twice': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n',
  'two fields of codings':
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n',
  'a coding with a tab behind it': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n',
  'a length of no-break spaces': 'HTTP/1.1 200 OK\r\nContent-Length: 5,\xa05\r\n\r\nhello',
  'an obscured coding': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n',
  'a first chunk of no size': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n0\r\n\r\n',
};

/** What may follow a good first chunk in a later packet. */
const BAD_CHUNKS: Readonly<Record<string, string>> = {
  'no size': 'xyz\r\nabc\r\n0\r\n\r\n',
  'a negative size': '-3\r\nabc\r\n0\r\n\r\n',
  'a size with a prefix': '0x3\r\nabc\r\n0\r\n\r\n',
  'a size with a space before it': ' 3\r\nabc\r\n0\r\n\r\n',
  'a size that ends in a bare line feed': '3\nabc\r\n0\r\n\r\n',
  'a size beyond all bounds': 'fffffffffffffffff\r\nabc',
  'a size of more than 2 GiB': '80000000\r\nabc',
  'an endless extension': `3;${'a'.repeat(5_000)}`,
  'a bare CR in an extension': '3;a="\r"\r\nabc\r\n0\r\n\r\n',
  'an extension that does not close its quotes': '3;a="b\r\nabc\r\n0\r\n\r\n',
  'white space around an extension': '3; a=b\r\nabc\r\n0\r\n\r\n',
  'a control in an extension': '3;a=\x01\r\nabc\r\n0\r\n\r\n',
  'a chunk that is too long': '3\r\nabcd\r\n0\r\n\r\n',
  'a chunk that is too short': '3\r\nab\r\n0\r\n\r\n',
  'no CR behind a chunk': '3\r\nabc\n0\r\n\r\n',
};

/** Architecture section 8: a bad response is a 502 before the client has a head, and a cut after. */
export const badResponseCases: readonly Case[] = [
  {
    name: 'a response whose head is bad is a 502, and its connection is given up',
    async run(stage) {
      const names = Object.keys(BAD_HEADS);
      const { origin, front } = await stage.both((request) =>
        request.reply(BAD_HEADS[names[Number(request.target.slice(1))] ?? ''] ?? ''),
      );
      const client = await front.client();
      for (const [index, name] of names.entries()) {
        const answer = await client.send({ path: `/${index}` });
        assert.deepEqual([answer.status, answer.complete], [502, true], name);
        assert.equal((await front.event(index + 1)).flags, 'PH', name);
        await (await origin.connection(index + 1)).closed;
      }
      assert.equal(front.stats().eresp, names.length);
      assert.equal(origin.requests.length, names.length); // a bad response is not asked for again
    },
  },
  {
    name: 'a bad head that comes byte by byte is a 502 too',
    async run(stage) {
      const { front } = await stage.both((request) => {
        const bytes = [...'HTTP/1.1 200 OK\r\nX A: 1\r\n\r\n'];
        const next = (): void => {
          const byte = bytes.shift();
          if (byte !== undefined && !request.socket.destroyed) request.socket.write(byte, () => setImmediate(next));
        };
        next();
      });
      assert.equal((await front.send()).status, 502);
    },
  },
  {
    name: 'a good head that comes byte by byte is a good head',
    async run(stage) {
      const { front } = await stage.both((request) => {
        const bytes = [
          ...'HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n',
          ...'HTTP/1.1 200 OK\r\nX-A:  1 \r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nX-T: 1\r\n\r\n',
        ];
        const next = (): void => {
          const byte = bytes.shift();
          if (byte !== undefined && !request.socket.destroyed) request.socket.write(byte, () => setImmediate(next));
        };
        next();
      });
      const answer = await front.send();
      assert.deepEqual([answer.status, answer.body, answer.field('x-a')], [200, 'ok', '1']);
      assert.deepEqual([answer.interim.length, answer.trailers.length], [1, 1]);
    },
  },
  {
    name: 'a bad chunk behind a good one cuts the response',
    async run(stage) {
      const names = Object.keys(BAD_CHUNKS);
      const { origin, front } = await stage.both(() => {});
      for (const [index, name] of names.entries()) {
        const exchange = await front.start();
        const { socket } = await origin.request(index + 1);
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n');
        await exchange.until(() => exchange.answer.length === 2);
        socket.write(BAD_CHUNKS[name] ?? '', 'latin1');
        const answer = await exchange.end;
        assert.deepEqual([answer.status, answer.complete, answer.ended === 'hang'], [200, false, false], name);
        assert.equal((await front.event(index + 1)).flags, 'PD', name);
        await (await origin.connection(index + 1)).closed;
      }
    },
  },
  {
    name: 'heads at the limits pass: 16 KiB, 101 fields, no reason, bytes beyond ASCII',
    async run(stage) {
      const start = 'HTTP/1.1 200 OK\r\nX-A: \r\nContent-Length: 2\r\n\r\n';
      const good: readonly string[] = [
        `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(16_384 - start.length)}\r\nContent-Length: 2\r\n\r\nok`,
        `HTTP/1.1 200 OK\r\n${'X-A: 1\r\n'.repeat(100)}Content-Length: 2\r\n\r\nok`,
        'HTTP/1.1 200 OK\r\nContent-Length: 002\r\n\r\nok',
        'HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok',
        'HTTP/1.1 200 \r\ncontent-length:2\r\n\r\nok',
        'HTTP/1.1 200 caf\xe9\r\nContent-Length: 2\r\n\r\nok',
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0002\r\nok\r\n0000\r\n\r\n',
      ];
      const { front } = await stage.both((request) => request.reply(good[Number(request.target.slice(1))] ?? ''));
      for (const index of good.keys()) {
        const answer = await front.send({ path: `/${index}` });
        assert.deepEqual([answer.status, answer.body], [200, 'ok'], `head ${index}`);
      }
    },
  },
  {
    name: 'white space around a length is none of it',
    async run(stage) {
      const { front } = await stage.both((request) =>
        request.reply('HTTP/1.1 200 OK\r\nContent-Length:\t2 \t\r\n\r\nok'),
      );
      const answer = await front.send();
      assert.deepEqual([answer.status, answer.body, answer.field('content-length')], [200, 'ok', '2']);
    },
  },
  {
    name: 'a length that is said twice, the same, is one',
    async run(stage) {
      const { front } = await stage.both((request) => {
        const lengths = request.target === '/list' ? '2, 2' : '2\r\nContent-Length: 2';
        return request.reply(`HTTP/1.1 200 OK\r\nContent-Length: ${lengths}\r\n\r\nok`);
      });
      for (const path of ['/list', '/lines']) {
        const answer = await front.send({ path });
        assert.deepEqual([answer.status, answer.body, answer.field('content-length')], [200, 'ok', '2']);
      }
    },
  },
  {
    name: 'values and reasons pass byte for byte, in latin1',
    async run(stage) {
      const bytes = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).filter(
        (character) => character === '\t' || (character >= ' ' && character !== '\x7f'),
      );
      const value = `<${bytes.join('')}>`;
      const { origin, front } = await stage.both((request) =>
        request.reply(`HTTP/1.1 200 caf\xe9\r\nX-A: ${value}\r\nContent-Length: 2\r\n\r\nok`),
      );
      const answer = await front.send({ fields: [['X-B', stage.http1 ? value : 'caf\xe9']] });
      assert.equal(answer.status, 200);
      // Node's HTTP/2 client reads values as UTF-8 and cannot show what was sent.
      if (!stage.http1) return;
      assert.deepEqual([answer.reason, answer.field('x-a')], ['caf\xe9', value]);
      assert.equal((await origin.request(1)).field('x-b'), value);
    },
  },
  {
    name: 'a status beyond all classes passes',
    async run(stage) {
      const { front } = await stage.both((request) =>
        request.reply(`HTTP/1.1 ${request.target.slice(1)} X\r\nContent-Length: 2\r\n\r\nok`),
      );
      for (const status of stage.http1 ? [299, 418, 599, 600, 999] : [299, 418, 599]) {
        const answer = await front.send({ path: `/${status}` });
        assert.deepEqual([answer.status, answer.body], [status, 'ok']);
      }
    },
  },
];
