import type { Chance } from './chance.ts';

const NAMES = [
  'X-A',
  'x-b',
  'ETag',
  'Set-Cookie',
  'Date',
  'Content-Type',
  'X-Hop',
  'Link',
  'Vary',
  'WWW-Authenticate',
] as const;
const VALUES = [
  '',
  '1',
  'a b',
  '"\x80\xff"',
  'a,b',
  'a \t b',
  '\xa0x\xa0',
  'a:b',
  ',',
  '=?utf-8?',
  'NTLM',
  '</a>; rel=preload',
] as const;
const ODD_VALUES = ['a\0b', 'a\rb', 'a\nb', '\x7f', '\x01', 'a\r\n b'] as const;
const ODD_NAMES = ['', 'X A', 'X(', 'X-A ', '\x80', 'X\t', '"x"', 'X\0'] as const;
const LENGTHS = [
  '5',
  '5',
  '5',
  '05',
  '5, 5',
  '5,5',
  '0',
  '4',
  '6',
  '-5',
  '+5',
  '0x5',
  '5 5',
  '',
  '5,\xa05',
  '9007199254740993',
  '5;',
] as const;
const CODINGS = [
  'chunked',
  'chunked',
  'Chunked',
  'CHUNKED',
  ' chunked ',
  'chunked\t',
  'gzip, chunked',
  'chunked, chunked',
  'gzip',
  '',
  '\xa0chunked',
  'chunked;q=1',
  '"chunked"',
  ',chunked',
] as const;
const OPTIONS = [
  'close',
  'Close',
  'keep-alive',
  'Keep-Alive',
  'x-hop',
  'X-HOP, close',
  'close, keep-alive',
  'upgrade',
  'Upgrade',
  'content-length',
  'x-a,,x-b',
  '',
  '\xa0close',
  'transfer-encoding',
  ', ,',
  'close\x85',
  'date',
] as const;
const PROTOCOLS = ['websocket', 'WebSocket', '', 'h2c', 'a, b', 'x/1'] as const;
const EXTENSIONS = [
  '',
  '',
  '',
  ';a',
  ';a=b',
  ';a="b"',
  ';a="b;\\"c"',
  ';',
  '; a',
  ' ;a',
  ';=b',
  ';a=',
  ';a="',
  ';a=\x01',
  ';a=\n',
  ';a="\r"',
  ' ',
  '\t',
  ';a=b;c',
  ';a="\x80"',
] as const;
const STATUSES = [
  '200',
  '200',
  '200',
  '404',
  '500',
  '204',
  '304',
  '206',
  '999',
  '600',
  '101',
  '099',
  '20',
  '2000',
  'abc',
  '205',
  '301',
] as const;
const VERSIONS = ['1.1', '1.1', '1.1', '1.1', '1.0', '1.2', '2.0', '0.9', '1', '1.1 '] as const;
const REASONS = [' OK', ' OK', ' ', '', ' caf\xe9', '  OK', ' O\rK', ' O\0K', '\tOK', ' a\tb', ' \x7f'] as const;

/** A response as a server may write it that keeps to the rules, mostly. */
export function generateResponse(chance: Chance): string {
  let text = '';
  while (chance.onceIn(12)) text += interim(chance);
  return text + final(chance) + (chance.onceIn(10) ? chance.one(['x', '\r\n', 'HTTP/1.1 200 OK\r\n\r\n', '\0']) : '');
}

/** `odd` of these once in `rarely`, else the first. */
function mostly<T>(list: readonly [T, ...T[]], rarely: number, chance: Chance): T {
  return chance.onceIn(rarely) ? chance.one(list) : list[0];
}

function lineEnd(chance: Chance): string {
  return chance.onceIn(400) ? chance.one(['\n', '\r', '\r\r\n', '\n\r', '']) : '\r\n';
}

function line(name: string, value: string, chance: Chance): string {
  const before = chance.onceIn(8) ? chance.one(['', '\t', '  ', ' \t ']) : ' ';
  const behind = chance.onceIn(10) ? chance.one([' ', '\t', ' \t ']) : '';
  return `${chance.onceIn(8) ? name.toUpperCase() : name}:${before}${value}${behind}${lineEnd(chance)}`;
}

function field(chance: Chance): string {
  const name = chance.onceIn(200) ? chance.one(ODD_NAMES) : chance.one(NAMES);
  return line(name, chance.onceIn(200) ? chance.one(ODD_VALUES) : chance.one(VALUES), chance);
}

function connectionField(chance: Chance): string {
  return line(chance.onceIn(10) ? 'Proxy-Connection' : 'Connection', chance.one(OPTIONS), chance);
}

function statusLine(status: string, chance: Chance): string {
  return `HTTP/${mostly(VERSIONS, 8, chance)} ${status}${mostly(REASONS, 8, chance)}${lineEnd(chance)}`;
}

function interim(chance: Chance): string {
  const fields = chance.many(2, () => (chance.onceIn(6) ? connectionField(chance) : field(chance)));
  return `${statusLine(chance.one(['100', '103', '102', '199', '150']), chance)}${fields}\r\n`;
}

function final(chance: Chance): string {
  let fields = chance.many(4, () => field(chance));
  if (chance.onceIn(4)) fields += connectionField(chance);
  if (chance.onceIn(16)) fields += line('Upgrade', chance.one(PROTOCOLS), chance);
  if (chance.onceIn(16))
    fields += line('Keep-Alive', chance.one(['timeout=5', 'Timeout = 5, max=3', 'max=1', '']), chance);
  if (chance.onceIn(20)) fields += line('Trailer', 'X-T', chance);
  const status = chance.one(STATUSES);
  let body = 'hello';
  switch (chance.below(chance.onceIn(20) ? 4 : 3)) {
    case 0:
      fields += line('Content-Length', mostly(LENGTHS, 5, chance), chance);
      if (chance.onceIn(20)) fields += line('Content-Length', mostly(LENGTHS, 2, chance), chance);
      break;
    case 1:
      fields += line('Transfer-Encoding', mostly(CODINGS, 6, chance), chance);
      body = chunks(chance);
      break;
    case 2:
      body = chance.one(['', 'hello', 'until\r\nthe\0end', '0\r\n\r\n']);
      break;
    case 3:
      fields +=
        line('Content-Length', chance.one(LENGTHS), chance) + line('Transfer-Encoding', chance.one(CODINGS), chance);
      body = chunks(chance);
  }
  if (chance.onceIn(3)) fields += chance.many(2, () => field(chance));
  if (chance.onceIn(2_000)) fields += 'X-Many: 1\r\n'.repeat(95 + chance.below(10));
  if (chance.onceIn(2_000)) fields += `X-Long: ${'a'.repeat(16_100 + chance.below(400))}\r\n`;
  const bodyless = (status === '204' || status === '304') && !chance.onceIn(4);
  return `${statusLine(status, chance)}${fields}${lineEnd(chance)}${bodyless ? '' : body}`;
}

function chunks(chance: Chance): string {
  const text = chance.many(3, () => {
    const data = chance.one(['hello', 'a', 'b\r\n', '0123456789abcdef', '\0\xff', 'x'.repeat(100)]);
    const size = mostly(
      [
        data.length.toString(16),
        `0${data.length.toString(16)}`,
        data.length.toString(16).toUpperCase(),
        `${data.length + 1}`,
        '-1',
        '0x5',
        'fffffffff',
        '',
      ],
      12,
      chance,
    );
    return `${size}${mostly(EXTENSIONS, 5, chance)}${lineEnd(chance)}${data}${lineEnd(chance)}`;
  });
  return `${text}${mostly(['0', '00', '', '0 ', '0000000000'], 12, chance)}${mostly(EXTENSIONS, 10, chance)}${lineEnd(chance)}${trailers(chance)}${lineEnd(chance)}`;
}

function trailers(chance: Chance): string {
  if (!chance.onceIn(4)) return '';
  const name = [
    'X-T',
    'X-T',
    'ETag',
    'Content-Length',
    'Transfer-Encoding',
    'Set-Cookie',
    'Connection',
    'Host',
  ] as const;
  return chance.many(3, () => line(chance.one(name), chance.one(['1', '', '5', 'chunked', 'close', 'a\x80']), chance));
}
