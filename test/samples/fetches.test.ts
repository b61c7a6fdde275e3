import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RequestContext } from '#src/core/context.ts';
import { FETCHES } from '#src/samples/fetches.ts';
import { compileSample, type SampleValue } from '#src/samples/index.ts';
import { environment, read } from './reading.ts';

const list: RequestContext = { headers: { 'x-key': 'a, b ,"c,d",' } };
const lines: RequestContext & { rawHeaders: string[] } = {
  headers: { accept: 'a, b, c', 'x-changed': 'by a rule' },
  rawHeaders: ['Accept', 'a, b', 'X-Changed', 'x', 'ACCEPT', 'c'],
};
const cookies: RequestContext = { headers: { cookie: 'id=1; ID=2;id = 3 ; q="a;b, id=9"; empty=; noequals' } };
const forwarded = (value: string): RequestContext => ({ headers: { 'x-forwarded-for': value } });
const socket = {
  remoteAddress: '::ffff:192.0.2.1',
  remotePort: 40_000,
  localAddress: '2001:DB8::0:1',
  localPort: 443,
  servername: 'www.example.com',
};

/** Expression, request, value; what the manual's chapter 7.3 says of the fetch is what each row holds it to. */
const CASES: readonly (readonly [string, RequestContext, SampleValue | undefined])[] = [
  ['src', { socket }, '192.0.2.1'],
  ['src', { socket: { remoteAddress: 'fe80::1%eth0' } }, 'fe80::1'],
  ['src', { socket: { remoteAddress: 'unknown' } }, undefined],
  ['src', {}, undefined],
  ['src_port', { socket }, 40_000],
  ['src_port', {}, undefined],
  ['dst', { socket }, '2001:db8::1'],
  ['dst', {}, undefined],
  ['dst_port', { socket }, 443],
  ['dst_port', {}, undefined],
  ['ssl_fc_sni', { socket }, 'www.example.com'],
  ['ssl_fc_sni', { socket: { servername: false } }, undefined],
  ['ssl_fc_sni', {}, undefined],
  ['method', { method: 'PROPFIND' }, 'PROPFIND'],
  ['method', {}, undefined],

  ['url', { url: 'http://h/p?q' }, 'http://h/p?q'],
  ['url', {}, undefined],
  ['path', { url: '/a/b?c=/d?e' }, '/a/b'],
  ['path', { url: '/' }, '/'],
  ['path', { url: '//h/p' }, '//h/p'],
  ['path', { url: 'http://user@h:80/p?q' }, '/p'],
  ['path', { url: 'HTTPS://h' }, undefined],
  ['path', { url: 'http://h?q=/x' }, ''],
  ['path', { url: '*' }, undefined],
  ['path', { url: 'h:443' }, undefined],
  ['path', {}, undefined],
  ['pathq', { url: '/a?b?c' }, '/a?b?c'],
  ['pathq', { url: 'http://h/p?q' }, '/p?q'],
  ['pathq', { url: '*' }, undefined],
  ['query', { url: '/a?b=?c' }, 'b=?c'],
  ['query', { url: '/a?' }, ''],
  ['query', { url: '/a' }, undefined],
  ['query', { url: 'http://h?q' }, 'q'],
  ['url_param(b)', { url: '/?a=1&b=2&b=3' }, '2'],
  ['url_param(b)', { url: '/?a=b=1;b=%20+' }, '%20+'],
  ['url_param(b)', { url: '/?a=1?b=2' }, '2'],
  ['url_param(b)', { url: '/?B=1&bb=2&b&xb=3' }, undefined],
  ['url_param(b)', { url: '/?b=' }, ''],
  ['urlp(b)', { url: '/?a=1&b=2' }, '2'],
  ['url_param(b)', { url: '/b=1' }, undefined],

  ['base', { url: '/p?q', headers: { host: 'h:80' } }, 'h:80/p'],
  ['base', { url: 'http://x/p?q', headers: { host: 'a, b' } }, 'a/p'],
  ['base', { url: '*', headers: { host: 'h' } }, 'h'],
  ['base', { url: '/p', headers: { host: '' } }, '/p'],
  ['base', { url: '/p' }, '/p'],
  ['base', { url: '/p', headers: { ':authority': 'h2' } }, 'h2/p'],

  ['req.hdr(x-key)', list, ''],
  ['req.hdr(X-Key,1)', list, 'a'],
  ['req.hdr(x-key,2)', list, 'b'],
  ['req.hdr(x-key,3)', list, '"c,d"'],
  ['req.hdr(x-key,-2)', list, '"c,d"'],
  ['req.hdr(x-key,-4)', list, 'a'],
  ['req.hdr(x-key,0)', list, ''],
  ['req.hdr(x-key,5)', list, undefined],
  ['req.hdr(x-key,-5)', list, undefined],
  ['req.hdr(x-other)', list, undefined],
  ['req.hdr(x-key)', {}, undefined],
  ['req.hdr(x-key)', { headers: { 'x-key': '"a\\",b",c' } }, 'c'],
  ['req.hdr(x-key)', { headers: { 'x-key': 'a,"b,c' } }, '"b,c'],
  ['req.hdr(x-key)', { headers: { 'x-key': 'a, \u00a0b\u00a0\t ' } }, '\u00a0b\u00a0'],
  ['req.hdr(x-key,2)', { headers: { 'x-key': ['a', 'b, c'] } }, 'b'],
  ['req.hdr(host)', { headers: { ':authority': 'h2' } }, 'h2'],
  ['req.hdr(host)', { headers: { ':authority': 'h2', host: 'h1' } }, 'h1'],
  ['hdr(x-key,1)', list, 'a'],

  ['req.fhdr(x-key)', list, 'a, b ,"c,d",'],
  ['req.fhdr(x-key,2)', list, undefined],
  ['req.fhdr(accept)', lines, 'c'],
  ['req.fhdr(accept,1)', lines, 'a, b'],
  ['req.fhdr(accept,-2)', lines, 'a, b'],
  ['req.fhdr(accept,3)', lines, undefined],
  ['req.fhdr(x-changed)', lines, 'by a rule'],
  ['req.fhdr(x-other)', lines, undefined],

  ['req.hdr_ip(x-forwarded-for)', forwarded('10.0.0.1, 10.0.0.2'), '10.0.0.2'],
  ['req.hdr_ip(x-forwarded-for,1)', forwarded('10.0.0.1, 10.0.0.2'), '10.0.0.1'],
  ['hdr_ip(x-forwarded-for)', forwarded('10.0.0.1:65535'), '10.0.0.1'],
  ['hdr_ip(x-forwarded-for)', forwarded('10.0.0.1:65536'), undefined],
  ['hdr_ip(x-forwarded-for)', forwarded('10.0.0.1:'), undefined],
  ['hdr_ip(x-forwarded-for)', forwarded('10.0.0.256'), undefined],
  ['hdr_ip(x-forwarded-for)', forwarded('010.00.0.1'), '10.0.0.1'],
  ['hdr_ip(x-forwarded-for)', forwarded('10.0.0.1/8'), undefined],
  ['hdr_ip(x-forwarded-for)', forwarded('fe80::1%eth0'), undefined],
  ['hdr_ip(x-forwarded-for)', forwarded('2001:DB8:0::1'), '2001:db8::1'],
  ['hdr_ip(x-forwarded-for)', forwarded('[2001:db8::1]'), '2001:db8::1'],
  ['hdr_ip(x-forwarded-for)', forwarded('[2001:db8::1]:80'), undefined],
  ['hdr_ip(x-forwarded-for)', forwarded('_hidden'), undefined],
  ['hdr_ip(x-forwarded-for)', forwarded('::ffff:10.0.0.1'), '10.0.0.1'],

  ['req.cook(id)', cookies, '3'],
  ['req.cook(ID)', cookies, '2'],
  ['req.cook(q)', cookies, '"a;b, id=9"'],
  ['req.cook(empty)', cookies, ''],
  ['req.cook(end)', { headers: { cookie: 'end=' } }, undefined],
  ['req.cook(end)', { headers: { cookie: 'end=1;end=' } }, '1'],
  ['req.cook(end)', { headers: { cookie: 'end=1; end=' } }, ''],
  ['req.cook(noequals)', cookies, undefined],
  ['req.cook(other)', cookies, undefined],
  ['req.cook(id)', {}, undefined],
  ['cook(id)', cookies, '3'],

  ['rand', {}, 2 ** 31],
  ['rand(7)', {}, 3],
  ['rand()', {}, 2 ** 31],
  ['str(a b)', {}, 'a b'],
  ["str('')", {}, ''],
  ['str(é)', {}, '\u00c3\u00a9'],
  ['int(-5)', {}, -5],
];

for (const [expression, context, expected] of CASES)
  test(`${expression} of ${JSON.stringify(context)} is ${JSON.stringify(expected)}`, () => {
    assert.equal(read(expression, context), expected);
  });

test('every fetch has a case', () => {
  const seen = new Set(CASES.map(([expression]) => expression.replace(/\(.*/, '')));
  assert.deepEqual(Object.keys(FETCHES).sort(), [...seen].sort());
});

test('a cookie that comes as an array, as HTTP/2 may bring it, is read over all of it', () => {
  assert.equal(read('cook(a)', { headers: { cookie: ['a=1', 'b=2'] as unknown as string } }), '1');
});

test('a chance is drawn for each request, over the whole range', () => {
  const drawn = [0, 0.999_999_999_9];
  const sample = compileSample('rand', { ...environment, random: () => drawn.shift() ?? 0 });
  assert.equal(sample.read({}), 0);
  assert.equal(sample.read({}), 2 ** 32 - 1);
});
