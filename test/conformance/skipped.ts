import type { EngineName } from '../support/fronts.ts';

/** Cases that an engine cannot satisfy, by their full name, and why. */
export const SKIPPED: Readonly<Record<EngineName, Readonly<Record<string, string>>>> = {
  http1: {},
  'http-proxy-3': {
    'streaming: a trailer section of more than 16 KiB cuts the response':
      "http-proxy-3 reads with Node's parser, which has no limit of its own for trailers",
    'streaming: junk in a trailer section cuts the response':
      "http-proxy-3 reads with Node's parser, which lets a space stand in a trailer's name; the trailer is dropped",
    'bad response: a length that is said twice, the same, is one':
      "http-proxy-3 reads with Node's parser, which takes every second Content-Length for an error: 502",
  },
};
