import { type IncomingMessage, METHODS } from 'node:http';
import { protocolOf } from '#src/adapters/upgrade-socket.ts';
import { mayBeTrailer } from '#src/http1/response-head.ts';
import { type NodeRequest, readAsNodeServer } from './node-server.ts';
import { AUTHORITY, sendRequest } from './our-request.ts';
import type { Verdict } from './response-check.ts';
import { tamper } from './tamper.ts';

/** What a client sends over one connection. */
export interface RequestInput {
  /** In latin1. */
  readonly text: string;
  /** Not 0: a middleware changes each request at random from this seed before the pool gets it. */
  readonly tamper: number;
}

/** Never passed on as they came: of one connection, or framed or answered by us. */
const OURS: ReadonlySet<string> = new Set([
  ...['connection', 'content-length', 'expect', 'host', 'http2-settings', 'keep-alive', 'proxy-authorization'],
  ...['proxy-connection', 'te', 'transfer-encoding', 'upgrade'],
]);

/** Whether each request that Node's server lets through is the same to the next server of Node's, or is refused. */
export function checkRequests({ text, tamper: seed }: RequestInput): Verdict {
  let accepted = false;
  for (const request of readAsNodeServer([Buffer.from(text, 'latin1')]).requests) {
    const { message, complete } = request;
    // Node has answered the first with a 400, and cuts the other.
    if (!complete || (message.httpVersion === '1.1' && message.headers.host === undefined)) break;
    if (seed !== 0 && message.method !== 'CONNECT') tamper(message, seed);
    const upgrade = request.upgrade && request.body.length === 0 ? protocolOf(message) : undefined;
    const sent = sendRequest(message, request, upgrade);
    if ('status' in sent) {
      if (sent.status === 400 || sent.status === 501) continue;
      return { accepted, fault: `refused with ${sent.status}` };
    }
    accepted = true;
    const fault = differences(request, sent.target, sent.wire, upgrade);
    if (fault !== undefined) return { accepted, fault: `${fault}\n  sent ${JSON.stringify(sent.wire)}` };
  }
  return { accepted, fault: undefined };
}

function differences(came: NodeRequest, target: string, wire: string, upgrade: string | undefined): string | undefined {
  const { method = '' } = came.message;
  // Node's parser knows certain methods only; a middleware may set others.
  const isKnown = METHODS.includes(method);
  const text = isKnown ? wire : wire.replace(`${method} `, 'GET ');
  const { requests, fault } = readAsNodeServer([Buffer.from(text, 'latin1')]);
  const [went, ...more] = requests;
  if (went === undefined) return `Node's server refuses it: ${fault}`;
  if (more.length > 0) return `to Node's server it is ${requests.length} requests`;
  if (!went.complete || (fault !== undefined && upgrade === undefined))
    return `Node's server takes it for broken: ${fault}`;
  const { message } = went;
  return (
    differs('method', isKnown ? method : 'GET', message.method) ??
    differs('target', target, message.url) ??
    differs('Host', came.message.headers.host || AUTHORITY, message.headers.host) ??
    differs('upgrade', upgrade, message.headers.upgrade) ??
    differs('fields', JSON.stringify(endToEnd(came.message)), JSON.stringify(endToEnd(message))) ??
    differs('body', came.body.join(''), went.body.join('')) ??
    differs('trailers', passedOn(came.rawTrailers), passedOn(went.rawTrailers))
  );
}

function differs(what: string, came: string | undefined, went: string | undefined): string | undefined {
  return came === went ? undefined : `${what}: came ${JSON.stringify(came)}, went ${JSON.stringify(went)}`;
}

/** Fields by name as Node gives them, sorted, without those of one connection. */
function endToEnd({ headers }: IncomingMessage): [string, unknown][] {
  const named = new Set(
    String(headers.connection ?? '')
      .toLowerCase()
      .split(',')
      .map(withoutSpace),
  );
  const fields: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (value !== undefined && !OURS.has(lower) && !named.has(lower))
      fields[lower] = withoutSpace(typeof value === 'string' ? value : value.map(withoutSpace).join(', '));
  }
  return Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1));
}

function withoutSpace(value: string): string {
  return value.replace(/^[ \t]+|[ \t]+$/g, '');
}

function passedOn(trailers: readonly string[]): string {
  return trailers.filter((_, i) => mayBeTrailer(trailers[i - (i % 2)] ?? '')).join('\n');
}
