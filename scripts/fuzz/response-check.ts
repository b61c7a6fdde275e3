import { mayBeTrailer, type ResponseHead } from '#src/http1/response-head.ts';
import { type ReadResponse, readResponse } from '../../test/http1/read-response.ts';
import { type NodeResponse, readAsNodeClient } from './node-client.ts';
import { NodeParser } from './node-parser.ts';

/** One response to look at. */
export interface ResponseInput {
  /** Of the request. */
  readonly method: string;
  /** In latin1; the server ends the connection behind it. */
  readonly text: string;
  /** Where it is cut into pieces besides being read whole. */
  readonly cuts: readonly number[];
}

/** What became of one input: accepted, refused (a 502 or a cut), or, as a text, what is wrong with us. */
export type Verdict = { readonly accepted: boolean; readonly fault: string | undefined };

/** Never passed on: of one connection, or meaningless in a response. */
const HOP_BY_HOP = [
  'expect',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
];

/** The text in these pieces. */
export function inPieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  return [...cuts, bytes.length].map((end, i) => bytes.subarray(cuts[i - 1] ?? 0, end));
}

/** Whether we read a response as Node's client does, or not at all; and in pieces as whole. */
export function checkResponse({ method, text, cuts }: ResponseInput): Verdict {
  const bytes = Buffer.from(text, 'latin1');
  const ours = readResponse([bytes], method);
  // A 101 that names no protocol is refused by whoever asked for none, and by whoever asked for one.
  const accepted = ours.end === 'complete' && (ours.head?.status !== 101 || ours.head.upgrade !== undefined);
  const fault =
    whatDiffersInPieces(ours, readResponse(inPieces(bytes, cuts), method)) ??
    (accepted || ours.end !== 'complete' ? whatNodeSeesOtherwise(ours, bytes, method) : undefined);
  return { accepted, fault };
}

/** Bad is bad, however far it got: a 502 or a cut. */
function whatDiffersInPieces(whole: ReadResponse, pieces: ReadResponse): string | undefined {
  if (whole.end === 'complete' || pieces.end === 'complete') {
    const [a, b] = [JSON.stringify(whole), JSON.stringify(pieces)];
    return a === b ? undefined : `in pieces it is another response:\n  whole     ${a}\n  in pieces ${b}`;
  }
  return undefined;
}

function whatNodeSeesOtherwise(ours: ReadResponse, bytes: Buffer, method: string): string | undefined {
  // What is refused at once never reaches anybody.
  if (ours.end !== 'complete' && ours.head === undefined) return undefined;
  const taken = ours.end === 'complete' ? bytes.subarray(0, ours.used) : bytes;
  const node = readAsNodeClient([taken], method);
  const differs = ours.end === 'complete' ? differences(ours, node) : passedOnDiffers(ours, node);
  if (differs === undefined) return undefined;
  return isExplained(ours, node, taken, method) ? undefined : differs;
}

/** Our view of a whole response beside Node's. */
export function differences(ours: ReadResponse, node: NodeResponse): string | undefined {
  const { head } = ours;
  if (head === undefined) return 'whole, and yet without a head';
  return (
    differs('end', ours.end, node.end) ??
    differs('status', head.status, node.status) ??
    differs('reason', head.reason, node.reason) ??
    differs('interim', ours.interim, node.interim) ??
    differs('headers', head.headers, endToEnd(node, head.bodyKind === 'chunked')) ??
    differs('body', ours.body, node.body) ??
    differs(
      'trailers',
      ours.trailers,
      inPairs(node.rawTrailers)
        .filter(([name]) => mayBeTrailer(name))
        .flat(),
    ) ??
    (head.status === 101 ? differs('upgrade', head.upgrade !== undefined, node.upgrade) : undefined) ??
    (head.keepAlive && !node.keepAlive && !isKeptOnPurpose(head, node)
      ? 'we keep a connection that Node would not'
      : undefined)
  );
}

/** A response that was cut: what had gone on before must have been right. */
function passedOnDiffers({ head, body }: ReadResponse, node: NodeResponse): string | undefined {
  if (head === undefined || node.status === 0) return undefined;
  return (
    differs('status', head.status, node.status) ??
    differs('headers', head.headers, endToEnd(node, head.bodyKind === 'chunked')) ??
    (body.startsWith(node.body) || node.body.startsWith(body) ? undefined : differs('body', body, node.body))
  );
}

function differs(what: string, ours: unknown, node: unknown): string | undefined {
  if (ours === node) return undefined;
  const [a, b] = [JSON.stringify(ours), JSON.stringify(node)];
  return a === b ? undefined : `${what}: ours ${a}, Node's ${b}`;
}

/**
 * llhttp does not know that a response without a body is one to HEAD, and expects it to end with the connection; and it
 * takes `Proxy-Connection`, which no standard has, for `Connection`.
 */
function isKeptOnPurpose({ bodyKind }: ResponseHead, { rawHeaders }: NodeResponse): boolean {
  const names = inPairs(rawHeaders).map(([name]) => name.toLowerCase());
  const unframed = bodyKind === 'none' && !names.includes('content-length') && !names.includes('transfer-encoding');
  return unframed || names.includes('proxy-connection');
}

/** Of the fields that Node saw those which go on to a client. */
function endToEnd({ rawHeaders, status }: NodeResponse, chunked: boolean): string[] {
  const dropped = new Set(HOP_BY_HOP);
  const pairs = inPairs(rawHeaders);
  for (const [name, value] of pairs) {
    if (name.toLowerCase() !== 'connection') continue;
    for (const option of value.toLowerCase().split(',')) dropped.add(option.replace(/^[ \t]+|[ \t]+$/g, ''));
  }
  dropped.delete('content-length');
  if (status === 204 || status === 101) dropped.add('content-length');
  if (!chunked) dropped.add('trailer');
  return pairs.filter(([name]) => !dropped.has(name.toLowerCase())).flat();
}

function inPairs(list: readonly string[]): [name: string, value: string][] {
  return Array.from({ length: list.length / 2 }, (_, i) => [list[2 * i] ?? '', list[2 * i + 1] ?? '']);
}

/**
 * Where we accept on purpose what Node refuses, it must see the same once what it objects to is gone: a length that is said
 * twice, the same (RFC 9110 §8.6), is said once; `Connection: close` in an interim response ends nothing.
 */
function isExplained(ours: ReadResponse, node: NodeResponse, bytes: Buffer, method: string): boolean {
  if (!/LENGTH$|^HPE_CLOSED_CONNECTION$/.test(node.end)) return false;
  const text = withOneLength(bytes.toString('latin1'));
  const lenient = ours.interim.length > 0 ? NodeParser.kLenientKeepAlive : 0;
  const again = readAsNodeClient([Buffer.from(text, 'latin1')], method, lenient);
  return (ours.end === 'complete' ? differences(ours, again) : passedOnDiffers(ours, again)) === undefined;
}

/** The heads up to the final one, each with its equal lengths put into one. */
function withOneLength(text: string): string {
  let read = '';
  for (let at = 0; ; ) {
    const end = text.indexOf('\r\n\r\n', at) + 2;
    const head = text.slice(at, end);
    read += oneLength(head);
    if (!/^HTTP\/1\.1 1(?!01)/.test(head)) return read + text.slice(end);
    read += '\r\n';
    at = end + 2;
  }
}

function oneLength(head: string): string {
  const values: string[] = [];
  const united = head.replace(
    /\r\n(content-length):[ \t]*([^\r]*?)[ \t]*(?=\r\n)/gi,
    (_line, name: string, value: string) => {
      const parts = value.split(',').map((part) => part.replace(/^[ \t]+|[ \t]+$/g, ''));
      values.push(...parts);
      return values.length === parts.length ? `\r\n${name}: ${parts[0]}` : '';
    },
  );
  const [first] = values;
  return values.every((value) => /^\d+$/.test(value) && Number(value) === Number(first)) ? united : head;
}
