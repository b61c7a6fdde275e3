import { IncomingMessage, METHODS } from 'node:http';
import { Socket } from 'node:net';
import { type BodyPlan, type NodeEvents, type NodeHead, NodeParser, NodeReader } from './node-parser.ts';

/** A request as Node's server hands it to a listener, with its body. */
export interface NodeRequest {
  readonly message: IncomingMessage;
  /** In latin1, in the pieces in which it came. */
  readonly body: string[];
  rawTrailers: readonly string[];
  /** All of it has come. */
  complete: boolean;
  /** It asks for another protocol: with a listener for upgrades, Node reads no body. */
  readonly upgrade: boolean;
}

/** What a server of Node's makes of all that comes over one connection. */
export interface NodeRequests {
  readonly requests: readonly NodeRequest[];
  /** Why it reads no further. */
  readonly fault: string | undefined;
}

/** `kOnHeadersComplete` counts methods in this order, which is that of llhttp and not of `METHODS`. */
const methodNames: string[] = [];

/** Requests are never read off it: it only has to be one. */
const socket = new Socket();

class ServerEvents implements NodeEvents {
  requests: NodeRequest[] = [];

  onHead(head: NodeHead): BodyPlan {
    const message = new IncomingMessage(socket);
    message.httpVersionMajor = 1;
    message.httpVersionMinor = head.minor;
    message.httpVersion = `1.${head.minor}`;
    message.method = methodNames[head.method] ?? '';
    message.url = head.url;
    // `headers` is made from it when first looked at, as in Node's own server.
    (message as unknown as { _addHeaderLines(fields: string[], count: number): void })._addHeaderLines(
      head.rawHeaders,
      head.rawHeaders.length,
    );
    this.requests.push({ message, body: [], rawTrailers: [], complete: false, upgrade: head.upgrade });
    return message.method === 'CONNECT' ? 2 : 0;
  }

  onBody(text: string): void {
    this.requests.at(-1)?.body.push(text);
  }

  onEnd(trailers: string[]): void {
    const request = this.requests.at(-1);
    if (!request) return;
    request.rawTrailers = trailers;
    request.complete = true;
  }
}

const events = new ServerEvents();
const reader = new NodeReader(NodeParser.REQUEST);
learnMethods();

/** Reads requests with Node's parser, up to the first that it refuses or the end of the connection. */
export function readAsNodeServer(pieces: readonly Buffer[]): NodeRequests {
  events.requests = [];
  const fault = reader.read(pieces, events);
  return { requests: events.requests, fault };
}

/** Has the parser read each method once. */
function learnMethods(): void {
  for (const method of METHODS) {
    const target = method === 'CONNECT' ? 'a:1' : '/';
    reader.read([Buffer.from(`${method} ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)], {
      onHead: (head) => {
        methodNames[head.method] = method;
        return 0;
      },
      onBody: () => {},
      onEnd: () => {},
    });
  }
}
