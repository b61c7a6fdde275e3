import { HEX } from './characters.ts';
import { BadMessage } from './response-head.ts';

/** Longest line that gives a chunk's size, extensions included. */
const MAX_CHUNK_LINE = 4_096;

/** HAProxy h1.c:h1_parse_chunk_size refuses larger chunks. */
const MAX_CHUNK = 0x7fff_ffff;

/** `;name`, `;name=token`, `;name="text"`: RFC 9112 §7.1.1 without its bad white space, as llhttp has it, too. */
const EXTENSIONS =
  /^(?:;[!#$%&'*+.^_`|~\w-]+(?:=(?:[!#$%&'*+.^_`|~\w-]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?)*\r\n$/;

const CR = 13;
const LF = 10;
const SEMICOLON = 59;

/**
 * The size that a chunk's line gives.
 * @param complete the line has its end; of a part of one only what is bad in it already is looked for
 * @throws {BadMessage}
 */
export function chunkSize(line: string, complete: boolean): number {
  if (line.length > MAX_CHUNK_LINE) throw new BadMessage('a chunk size line that is too long');
  let size = 0;
  let at = 0;
  for (; at < line.length; at++) {
    const digit = HEX[line.charCodeAt(at)] ?? 255;
    if (digit === 255) break;
    size = size * 16 + digit;
    if (size > MAX_CHUNK) throw new BadMessage('a chunk that is too large');
  }
  const code = line.charCodeAt(at);
  if (at < line.length && (at === 0 || (code !== CR && code !== SEMICOLON)))
    throw new BadMessage('an illegal chunk size');
  // Extensions are dropped, but nothing may hide in them that the next reader could take for the end of the line.
  if (complete && code === SEMICOLON && !EXTENSIONS.test(line.slice(at)))
    throw new BadMessage('an illegal chunk extension');
  if (complete && code === CR && at + 2 !== line.length) throw new BadMessage('an illegal chunk size');
  return size;
}

/**
 * Reads the body whose chunks begin at `start`, with the index just behind its last chunk.
 * @returns `undefined` when it goes on behind `text`, or has trailers
 * @throws {BadMessage}
 */
export function readWholeChunks(
  text: string,
  start: number,
): { readonly body: string; readonly end: number } | undefined {
  let body = '';
  for (let at = start; ; ) {
    const lineEnd = text.indexOf('\n', at) + 1;
    const size = chunkSize(lineEnd === 0 ? text.substring(at) : text.substring(at, lineEnd), lineEnd !== 0);
    if (lineEnd === 0) return undefined;
    if (size === 0) return text.startsWith('\r\n', lineEnd) ? { body, end: lineEnd + 2 } : undefined;
    const dataEnd = lineEnd + size;
    if (dataEnd >= text.length) return undefined;
    if (text.charCodeAt(dataEnd) !== CR || (dataEnd + 1 < text.length && text.charCodeAt(dataEnd + 1) !== LF))
      throw new BadMessage('a chunk that does not end where its size says');
    body += text.substring(lineEnd, dataEnd);
    at = dataEnd + 2;
  }
}
