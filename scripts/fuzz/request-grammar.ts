import type { Chance } from './chance.ts';

const METHODS = [
  'GET',
  'GET',
  'POST',
  'PUT',
  'HEAD',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'TRACE',
  'M-SEARCH',
  'PROPFIND',
  'CONNECT',
  'get',
  'PRI',
  'FOO',
  'QUERY',
] as const;
const TARGETS = [
  '/',
  '/a?b=c',
  '/a%20b',
  '//a',
  '*',
  'http://a.test/x',
  'HTTP://A.TEST:80',
  'http://b.test/',
  'https://a.test:443/?q',
  'ftp://a.test/',
  'a.test:443',
  '/a#b',
  '/\x80',
  '/a b',
  '/"<>\\^`{|}',
  'http://user@a.test/',
  'http:///x',
  '?a',
  '/\t',
  '',
] as const;
const HOSTS = [
  'a.test',
  'a.test',
  'A.test:80',
  'a.test:443',
  '[::1]:80',
  '',
  'b.test',
  'a test',
  'a.test/x',
  'user@a.test',
  '\xe9',
  'a.test, b.test',
  'a.test\xa0',
] as const;
const NAMES = [
  'X-A',
  'x-a',
  'Accept',
  'Cookie',
  'User-Agent',
  'Authorization',
  'X-Hop',
  'TE',
  'Keep-Alive',
  'Proxy-Connection',
  'Forwarded',
  'X-Forwarded-For',
  'Content-Type',
  'If-Modified-Since',
  '__proto__',
  'constructor',
  'Trailer',
  'Max-Forwards',
  'Set-Cookie',
] as const;
const VALUES = ['', '1', 'a b', 'a, b', '\x80\xff', 'a=b; c=d', '\xa0x\xa0', ',', 'trailers', 'a\tb'] as const;
const OPTIONS = [
  'close',
  'Keep-Alive',
  'x-hop',
  'X-A, close',
  'upgrade',
  'Upgrade, x-hop',
  'cookie',
  'host',
  'content-length',
  '\xa0x-a',
  'x-a\x85',
  'transfer-encoding',
  ',',
  '',
] as const;
const ODD = ['\0', '\r', '\n', '\x7f', ' \r\n x'] as const;

/** One request or a few on one connection, as a client may write them that keeps to the rules, mostly. */
export function generateRequest(chance: Chance): string {
  let text = request(chance);
  while (chance.onceIn(8)) text += request(chance);
  return text;
}

function line(name: string, value: string, chance: Chance): string {
  const odd = chance.onceIn(300) ? chance.one(ODD) : '';
  const space = chance.onceIn(8) ? chance.one(['', '\t', '  ']) : ' ';
  const behind = chance.onceIn(10) ? chance.one([' ', '\t']) : '';
  return `${chance.onceIn(8) ? name.toLowerCase() : name}:${space}${value}${odd}${behind}${chance.onceIn(400) ? '\n' : '\r\n'}`;
}

function request(chance: Chance): string {
  const version = chance.onceIn(12) ? chance.one(['1.0', '1.0', '1.2', '0.9', '2.0']) : '1.1';
  const target = chance.onceIn(2) ? '/path' : chance.one(TARGETS);
  let text = `${chance.one(METHODS)} ${target} HTTP/${version}\r\n`;
  if (!chance.onceIn(20)) text += line('Host', chance.onceIn(4) ? chance.one(HOSTS) : 'a.test', chance);
  if (chance.onceIn(40)) text += line('Host', chance.one(HOSTS), chance);
  text += chance.many(4, () => line(chance.one(NAMES), chance.one(VALUES), chance));
  if (chance.onceIn(4)) text += line('Connection', chance.one(OPTIONS), chance);
  if (chance.onceIn(12)) text += line('Upgrade', chance.one(['websocket', 'h2c', '', 'a, h2c, b', '\xa0']), chance);
  if (chance.onceIn(20)) text += line('Expect', chance.one(['100-continue', '100-Continue', 'x']), chance);
  switch (chance.below(4)) {
    case 0:
      return `${text}${line('Content-Length', chance.onceIn(6) ? chance.one(['05', '5, 5', '+5', '', '4', '6', '99999999999999999999']) : '5', chance)}\r\nhello`;
    case 1:
      return `${text}${line('Transfer-Encoding', chance.onceIn(6) ? chance.one(['Chunked', 'gzip, chunked', 'chunked, gzip', '', '\xa0chunked', 'identity']) : 'chunked', chance)}\r\n${chunks(chance)}`;
    case 2:
      return chance.onceIn(10)
        ? `${text}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${chunks(chance)}`
        : `${text}\r\n`;
    default:
      return `${text}\r\n`;
  }
}

function chunks(chance: Chance): string {
  const extension = (): string =>
    chance.onceIn(6) ? chance.one([';a', ';a=b', ';a="b"', ';', ' ', ';a="\n"', ';a=\x01']) : '';
  const data = chance.many(
    3,
    () => `${chance.one(['5', '05', '5'])}${extension()}\r\n${chance.one(['hello', '0\r\n\r\n', '\0\xff\r\n!'])}\r\n`,
  );
  const trailers = chance.onceIn(4)
    ? chance.many(2, () => line(chance.one(['X-T', 'Content-Length', 'Host', 'X-U']), chance.one(VALUES), chance))
    : '';
  return `${data}0${extension()}\r\n${trailers}\r\n`;
}
