import type { IncomingMessage } from 'node:http';
import { Chance } from './chance.ts';

const TEXTS = [
  'x',
  '',
  'a b',
  'a\r\nX-Smuggled: 1',
  'a\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n',
  '\0',
  '\n',
  '\u{20ac}',
  '\u010d\u010a',
  '\xe9',
  ' a ',
  '\x7f',
  '\t',
] as const;
const NAMES = [
  'x-a',
  'X-B',
  'Content-Length',
  'transfer-encoding',
  'Transfer-Encoding',
  'connection',
  'Host',
  'host',
  'a b',
  'a:',
  '',
  'x\r\ny',
  '\xe9',
  'content-length',
] as const;
const METHODS = [
  'GET',
  'POST',
  'HEAD',
  'GET / HTTP/1.1\r\nX: 1\r\n\r\nGET',
  'G T',
  'get',
  '',
  'GE\nT',
  '\xe9',
  'GET\t',
  'PURGE',
  'CONNECT',
  'connect',
] as const;

/** Sets on a request what no parser would have let through, as a careless middleware may. */
export function tamper(message: IncomingMessage, seed: number): void {
  const chance = new Chance(seed);
  const headers = message.headers as Record<string, unknown>;
  do {
    switch (chance.below(4)) {
      case 0:
        message.method = chance.one(METHODS);
        break;
      case 1:
        message.url = `${chance.one(['/', '', '*', 'http://a.test'])}${chance.one(TEXTS)}`;
        break;
      case 2:
        headers[chance.one(NAMES)] = chance.onceIn(4) ? [chance.one(TEXTS), chance.one(TEXTS)] : chance.one(TEXTS);
        break;
      case 3:
        delete headers[chance.one(['x-a', 'host', 'accept', 'cookie', 'connection'])];
    }
  } while (chance.onceIn(3));
}
