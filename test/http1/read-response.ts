import type { ResponseHead } from '#src/http1/response-head.ts';
import { ResponseParser } from '#src/http1/response-parser.ts';

/** What a parser has made of some bytes, whatever the calls by which it told. */
export interface ReadResponse {
  readonly interim: readonly number[];
  readonly head: ResponseHead | undefined;
  /** In latin1. */
  readonly body: string;
  readonly trailers: readonly string[];
  /** `complete`, `open` (more is awaited), or why the message is bad. */
  readonly end: string;
  /** Bytes that belong to the response. */
  readonly used: number;
}

/** Reads a response off these pieces; `closes`: the server ends the connection behind them. */
export function readResponse(pieces: readonly Buffer[], method = 'GET', closes = true): ReadResponse {
  const interim: number[] = [];
  let head: ResponseHead | undefined;
  let body = '';
  let trailers: readonly string[] = [];
  let end = 'open';
  const parser = new ResponseParser({
    onInterim: ({ status }) => interim.push(status),
    onWhole: (whole, text) => {
      head = whole;
      body = text;
      end = 'complete';
    },
    onHead: (begun) => {
      head = begun;
    },
    onBody: (buffer, start, stop) => {
      body += Buffer.copyBytesFrom(buffer, start, stop - start).toString('latin1');
    },
    onEnd: (fields) => {
      trailers = fields ?? [];
      end = 'complete';
    },
    onBad: (reason) => {
      if (end !== 'open') throw new Error(`bad (${reason}) after ${end}`);
      end = reason;
    },
  });
  parser.reset(method);
  let used = 0;
  for (const piece of pieces) {
    // As off a socket: into one buffer that is used again and again.
    const buffer = Buffer.concat([piece, Buffer.from('\r\n\r\njunk of an earlier read')]);
    used += parser.execute(buffer, piece.length);
    buffer.fill(0);
  }
  if (parser.done !== (end === 'complete')) throw new Error(`done is ${parser.done}, and yet: ${end}`);
  if (closes) parser.finish();
  return { interim, head, body, trailers, end, used };
}
