import { type BodyPlan, type NodeEvents, type NodeHead, NodeParser, NodeReader } from './node-parser.ts';

/** What a client of Node's makes of a response. */
export interface NodeResponse {
  readonly status: number;
  readonly interim: readonly number[];
  readonly reason: string;
  readonly rawHeaders: readonly string[];
  /** In latin1. */
  readonly body: string;
  readonly rawTrailers: readonly string[];
  readonly keepAlive: boolean;
  /** The connection speaks another protocol from here on. */
  readonly upgrade: boolean;
  /** `complete`, or why the message is none. */
  readonly end: string;
}

const NO_HEAD: NodeHead = {
  minor: 1,
  rawHeaders: [],
  method: 0,
  url: '',
  status: 0,
  reason: '',
  upgrade: false,
  keepAlive: false,
};

/** Reads as `lib/_http_client.js` does: interim responses are followed by another, and HEAD has no body. */
class ClientEvents implements NodeEvents {
  method = 'GET';
  interim: number[] = [];
  head: NodeHead = NO_HEAD;
  body = '';
  trailers: string[] = [];
  complete = false;
  doubled = false;

  reset(method: string): void {
    this.method = method;
    this.interim = [];
    this.head = NO_HEAD;
    this.body = '';
    this.trailers = [];
    this.complete = false;
    this.doubled = false;
  }

  onHead(head: NodeHead): BodyPlan {
    if (this.head !== NO_HEAD) {
      this.doubled = true;
      return 0;
    }
    if (head.status >= 100 && head.status < 200 && head.status !== 101) {
      this.interim.push(head.status);
      return 1;
    }
    this.head = head;
    if (head.upgrade) return 2;
    return this.method === 'HEAD' || head.status === 304 ? 1 : 0;
  }

  onBody(text: string): void {
    if (!this.doubled) this.body += text;
  }

  onEnd(trailers: string[]): void {
    if (this.head === NO_HEAD || this.doubled) return;
    this.trailers = trailers;
    this.complete = true;
  }
}

const events = new ClientEvents();
const reader = new NodeReader(NodeParser.RESPONSE);

/** Reads a response with Node's parser and the rules of its client. The connection ends behind the last piece. */
export function readAsNodeClient(pieces: readonly Buffer[], method: string, lenient?: number): NodeResponse {
  events.reset(method);
  const fault = reader.read(pieces, events, lenient);
  const { head, interim, body, trailers, complete, doubled } = events;
  const { status, reason, rawHeaders, keepAlive, upgrade } = head;
  let end = 'complete';
  if (doubled) end = 'a second response';
  else if (fault === 'upgrade') end = upgrade ? 'complete' : 'not all of it was taken';
  else if (fault !== undefined) end = fault;
  else if (!complete) end = 'ECONNRESET';
  return { status, interim, reason, rawHeaders, body, rawTrailers: trailers, keepAlive, upgrade, end };
}
