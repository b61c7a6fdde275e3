import { readFileSync } from 'node:fs';
import { type ServerResponse, STATUS_CODES } from 'node:http';
import { atOnce } from '../core/at-once.ts';
import type { RequestContext } from '../core/context.ts';
import type { ErrorCode, EvenkeelError } from '../core/errors.ts';
import type { ClientRequest, ClientResponse } from '../core/exchange.ts';
import { type OptionReader, OptionReader as Reader, show } from '../core/options.ts';
import { DRAIN_BYTES, type RequestBody } from '../forward/body-replay.ts';
import { isFieldValue, isToken } from '../http1/characters.ts';
import { parseResponseHead } from '../http1/response-head.ts';
import type { Ruling } from './rule-answers.ts';
import { type ReportFault, UNTOUCHABLE } from './rule-fields.ts';

/** An answer of the user's own in place of one of ours. */
export interface ErrorAnswer {
  /** Default: the status it stands for. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer;
}

/** `errorfiles`: by status, an answer, a file that holds a whole HTTP message, or a function that gives an answer. */
export type ErrorFilesOption<R = unknown> = Readonly<
  Record<number, ErrorAnswer | { readonly file: string } | ((context: RequestContext<R>) => ErrorAnswer)>
>;

/** An answer that we give ourselves, ready to be written. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string | readonly string[]])[];
  readonly body: Buffer;
}

/** Makes the answers to failed requests. */
export interface Answers {
  /** Answers in place of ours. */
  readonly files: ReadonlyMap<number, (context: RequestContext) => Answer>;
  readonly retryAfterSeconds: number | undefined;
}

/** The statuses that can be answered otherwise: those of HAProxy http.c:http_err_codes that are errors. */
const STATUSES: ReadonlySet<number> = new Set([
  ...[400, 401, 403, 404, 405, 407, 408, 410, 413, 414, 421, 422, 425, 429, 431],
  ...[500, 501, 502, 503, 504],
]);

/**
 * Reads `errorfiles` and `retryAfter`.
 * @param sheds the pool refuses what is too much for it, and its clients had better know for how long
 */
export function readAnswers(read: OptionReader, sheds: boolean): Answers {
  const files = new Map<number, (context: RequestContext) => Answer>();
  const option = read.object('errorfiles');
  for (const key of Object.keys((read.any('errorfiles') as object | undefined) ?? {})) {
    const status = Number(key);
    const value = option.any(key);
    if (!STATUSES.has(status))
      option.reject(key, `${show(key)} is not a status we answer with; allowed: ${[...STATUSES].join(', ')}`);
    else {
      const file = readFile(option, key, status, value);
      if (file) files.set(status, file);
    }
  }
  const retryAfterMs = read.durationMs('retryAfter', { default: sheds ? 1_000 : undefined, max: 86_400_000 });
  return { files, retryAfterSeconds: retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs / 1000) };
}

function readFile(
  read: OptionReader,
  key: string,
  status: number,
  value: unknown,
): ((context: RequestContext) => Answer) | undefined {
  if (typeof value === 'function') {
    const give = value as (context: RequestContext) => unknown;
    return (context) => {
      const faults: Reader['faults'] = [];
      const answer = readAnswer(new Reader(atOnce(give(context)), read.pathOf(key), faults), status);
      if (faults[0]) throw new TypeError(`${faults[0].path}: ${faults[0].message}`);
      return answer;
    };
  }
  const options = new Reader(value, read.pathOf(key), read.faults);
  const answer = options.has('file') ? readMessage(options) : readAnswer(options, status);
  return answer && (() => answer);
}

/** Reads an answer; `status` is the one that it has unless it says otherwise. */
export function readAnswer(read: Reader, status: number): Answer {
  const headers: [string, string | readonly string[]][] = [];
  const fields = read.read('headers', {}, "an object of fields: { 'content-type': 'text/html' }", (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined,
  );
  for (const [name, value] of Object.entries(fields)) {
    const lines: unknown[] = Array.isArray(value) ? value : [value];
    const ours = UNTOUCHABLE.has(name.toLowerCase()) || name.toLowerCase() === 'trailer';
    if (!ours && isToken(name) && lines.every((line) => typeof line === 'string' && isFieldValue(line)))
      headers.push([name, value as string | string[]]);
    else read.reject('headers', `the field ${show(name)} cannot be sent`);
  }
  const body = read.read('body', Buffer.alloc(0), 'a string or a Buffer', (value) =>
    typeof value === 'string' ? Buffer.from(value) : Buffer.isBuffer(value) ? value : undefined,
  );
  const answer = { status: read.integer('status', { default: status, min: 200, max: 599 }), headers, body };
  read.rejectUnknown();
  return answer;
}

/** A file that holds a whole HTTP/1 response, as HAProxy's `errorfile`; read once. */
function readMessage(read: Reader): Answer | undefined {
  const path = read.string('file', { default: undefined, allowed: 'the path of a file' });
  read.rejectUnknown();
  if (path === undefined) return undefined;
  try {
    const message = readFileSync(path);
    const text = message.toString('latin1');
    const blank = /\r?\n\r?\n/.exec(text);
    if (!blank) throw new Error('no empty line ends its head');
    // People write these files by hand, mostly with bare line feeds.
    const head = `${text.slice(0, blank.index).replaceAll(/\r?\n/g, '\r\n')}\r\n`;
    const { status, headers } = parseResponseHead(`${head}\r\n`, head.length, 'HEAD');
    const fields: [string, string][] = [];
    for (let i = 0; i + 1 < headers.length; i += 2) {
      if ((headers[i] as string).toLowerCase() !== 'content-length')
        fields.push([headers[i] as string, headers[i + 1] as string]);
    }
    return { status, headers: fields, body: message.subarray(blank.index + blank[0].length) };
  } catch (error) {
    read.reject('file', `cannot be used: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** Our own answer: small, and naming no server. JSON for who asks for JSON and not for HTML. */
export function plainAnswer(code: ErrorCode | undefined, status: number, accept: string | undefined): Answer {
  const reason = STATUS_CODES[status] ?? 'Error';
  const json = accept !== undefined && /application\/json/i.test(accept) && !/text\/html/i.test(accept);
  const body = json ? JSON.stringify({ status, error: reason, code }) : `${status} ${reason}\n`;
  return {
    status,
    headers: [
      ['cache-control', 'no-cache'],
      ['content-type', json ? 'application/json; charset=utf-8' : 'text/plain; charset=utf-8'],
    ],
    body: Buffer.from(body),
  };
}

/** What is answered. */
export interface Answered {
  readonly clientRequest: ClientRequest;
  readonly clientResponse: ClientResponse;
  readonly body: RequestBody;
  readonly upgrade: string | undefined;
  readonly expectContinue: boolean;
  readonly context: RequestContext;
}

/** Answers a request that failed: the user's own answer where there is one, else ours. Gives the status. */
export function writeError(answers: Answers, answered: Answered, error: EvenkeelError, report: ReportFault): number {
  const answer = errorAnswer(answers, answered, error.status, error.code, report);
  const headers = [...answer.headers];
  if (answers.retryAfterSeconds !== undefined && WAITED_FOR_A_SLOT.has(error.code))
    headers.push(['retry-after', String(answers.retryAfterSeconds)]);
  return write(answered, { ...answer, headers }, closes(answered, error));
}

/** Gives the answer of a rule, completed by the user's own of that status where there is one, else by ours. Gives the status. */
export function writeRuling(answers: Answers, answered: Answered, ruling: Ruling, report: ReportFault): number {
  const { status, headers, body } = ruling;
  // A client that was never told to go on may send its body or not: its next bytes could be taken for either.
  const closing = answered.upgrade !== undefined || answered.expectContinue;
  if (body !== undefined) return write(answered, { status, headers, body }, closing);
  const answer = errorAnswer(answers, answered, status, undefined, report);
  return write(answered, { ...answer, headers: [...answer.headers, ...headers] }, closing);
}

/** Gives an answer of that status that belongs to no failure. */
export function writeStatus(answers: Answers, answered: Answered, status: number, report: ReportFault): void {
  write(answered, errorAnswer(answers, answered, status, undefined, report), false);
}

function write(answered: Answered, { status, headers, body: bytes }: Answer, closing: boolean): number {
  const { clientRequest, body } = answered;
  const response = answered.clientResponse as ServerResponse;
  response.statusCode = status;
  for (const name of response.getHeaderNames()) if (DESCRIBES_A_BODY.has(name)) response.removeHeader(name);
  for (const [name, value] of headers) response.setHeader(name, value);
  if (status !== 204 && status !== 304) response.setHeader('content-length', bytes.length);
  if (clientRequest.httpVersionMajor === 1 && closing) response.setHeader('connection', 'close');
  response.end(bytes);
  body.drain(DRAIN_BYTES, () => clientRequest.destroy());
  return status;
}

/** Fields of the framework's that spoke of the body it would have got. */
const DESCRIBES_A_BODY: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-length',
  'content-range',
  'etag',
  'last-modified',
  'transfer-encoding',
]);

const WAITED_FOR_A_SLOT: ReadonlySet<string> = new Set(['EK_QUEUE_FULL', 'EK_QUEUE_TIMEOUT']);

/** After these the client's connection cannot be trusted to be at the start of a request, or should not be used on. */
function closes({ upgrade }: Answered, error: EvenkeelError): boolean {
  return upgrade !== undefined || error.code === 'EK_CLOSED' || error.flags === 'PR' || error.flags === 'cH';
}

function errorAnswer(
  { files }: Answers,
  { clientRequest, context }: Answered,
  status: number,
  code: ErrorCode | undefined,
  report: ReportFault,
): Answer {
  const file = files.get(status);
  if (file) {
    try {
      return file(context);
    } catch (fault) {
      report(`errorfiles.${status}`, fault);
    }
  }
  return plainAnswer(code, status, clientRequest.headers.accept);
}
