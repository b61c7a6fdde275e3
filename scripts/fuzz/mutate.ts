import type { Chance } from './chance.ts';

/** What is put in: whatever one parser or another has stumbled over. */
const PIECES: readonly [string, ...string[]] = [
  ...(['\r\n', '\n', '\r', '\0', ':', ' ', '\t', ',', ';', '=', '"', '\\', '/', '?', '#', '@', '*'] as const),
  ...[
    '0',
    '1',
    '5',
    'a',
    'F',
    '-',
    '+',
    '_',
    '(',
    '\x01',
    '\x0b',
    '\x0c',
    '\x1f',
    '\x7f',
    '\x80',
    '\x85',
    '\xa0',
    '\xff',
  ],
  ...['\r\n ', '\r\n\t', '\r\n\r\n', '\n\n', '\r\r\n', '0\r\n\r\n', '0;a=b\r\n\r\n', '5\r\nhello\r\n', ';a="\r\n"'],
  ...['Content-Length: 5\r\n', 'Content-Length: 4\r\n', 'content-length: 0\r\n', 'Content-Length: 5, 5\r\n'],
  ...['Transfer-Encoding: chunked\r\n', 'TRANSFER-ENCODING: Chunked\r\n', 'Transfer-Encoding: gzip, chunked\r\n'],
  ...['Transfer-Encoding: identity\r\n', 'Transfer-Encoding: chunked\t\r\n', 'Transfer-Encoding:\r\n'],
  ...['Connection: close\r\n', 'Connection: Close, X-Hop\r\n', 'Connection: content-length, transfer-encoding\r\n'],
  ...['Connection: keep-alive\r\n', 'Connection: upgrade\r\n', 'Connection: \xa0close\r\n', 'X-Hop: 1\r\n'],
  ...['Upgrade: websocket\r\n', 'Upgrade:\r\n', 'Expect: 100-continue\r\n', 'Host: b.test\r\n', 'Trailer: X-T\r\n'],
  ...[
    'chunked',
    'HTTP/1.1 ',
    'HTTP/1.0 ',
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.1 200 OK\r\n',
    'GET / HTTP/1.1\r\n',
  ],
];

/** Changes a message in one to four places. */
export function mutate(original: string, chance: Chance): string {
  let text = original;
  for (let changes = 1 + chance.below(4); changes > 0; changes--) text = change(text, chance);
  return text;
}

function change(text: string, chance: Chance): string {
  const at = chance.below(text.length + 1);
  const end = at + chance.below(4);
  switch (chance.below(8)) {
    case 0: // lost
      return text.slice(0, at) + text.slice(end);
    case 1: // put in
      return text.slice(0, at) + chance.one(PIECES) + text.slice(at);
    case 2: // put in place of
      return text.slice(0, at) + chance.one(PIECES) + text.slice(end);
    case 3: // said again
      return text.slice(0, at + chance.below(40)) + text.slice(at);
    case 4: // another byte
      return text.slice(0, at) + String.fromCharCode(chance.below(256)) + text.slice(at + 1);
    case 5: {
      const line = text.indexOf('\r\n', at) + 2; // a line put in
      return text.slice(0, line) + chance.one(PIECES) + text.slice(line);
    }
    case 6: // a letter in the other case
      return text.slice(0, at) + otherCase(text.slice(at, at + 1)) + text.slice(at + 1);
    default: // cut off
      return chance.onceIn(3) ? text.slice(0, at) : text;
  }
}

function otherCase(letter: string): string {
  const upper = letter.toUpperCase();
  // In latin1 some letters have their other case beyond it.
  const other = letter === upper ? letter.toLowerCase() : upper;
  return other.length === 1 && other.charCodeAt(0) < 256 ? other : letter;
}

/** Where to cut a message into pieces, as packets would: none to four places, in order. */
export function cuts(length: number, chance: Chance): number[] {
  return Array.from({ length: chance.below(5) }, () => chance.below(length + 1)).sort((a, b) => a - b);
}
