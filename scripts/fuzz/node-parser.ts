import { createServer } from 'node:http';
import { Duplex } from 'node:stream';

/** Node's own parser, as far as the oracle drives it. The callbacks are properties with numbers for names. */
export interface NodeParser {
  initialize(type: number, resource: object, maxHeaderSize: number, lenientFlags: number): void;
  /** @returns bytes taken, or why not all could be */
  execute(bytes: Buffer): number | NodeParserError;
  finish(): number | NodeParserError | undefined;
  [callback: number]: unknown;
}

export interface NodeParserError extends Error {
  readonly code: string;
}

interface NodeParserClass {
  new (): NodeParser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
  readonly kLenientKeepAlive: number;
}

/** Node exports the class no more without a warning; every connection of a server has one of it. */
export const NodeParser: NodeParserClass = parserClass();

/** What Node's `http.maxHeaderSize` is unless told otherwise. */
const MAX_HEADER_SIZE = 16_384;

function parserClass(): NodeParserClass {
  const socket: Duplex & { parser?: NodeParser } = new Duplex({
    read() {},
    write: (_chunk, _encoding, done) => done(),
  });
  createServer().emit('connection', socket);
  const { parser } = socket;
  socket.destroy();
  if (!parser) throw new Error('Node keeps its parser somewhere else');
  return parser.constructor as unknown as NodeParserClass;
}

/** What `kOnHeadersComplete` tells. */
export interface NodeHead {
  readonly minor: number;
  readonly rawHeaders: string[];
  /** Index into `http.METHODS` as the parser counts them; of a request. */
  readonly method: number;
  readonly url: string;
  readonly status: number;
  readonly reason: string;
  readonly upgrade: boolean;
  readonly keepAlive: boolean;
}

/** What is to be done with a body: read as announced, there is none, or the rest is another protocol's. */
export type BodyPlan = 0 | 1 | 2;

/** Hears of the messages in a stream of bytes. */
export interface NodeEvents {
  onHead(head: NodeHead): BodyPlan;
  onBody(text: string): void;
  onEnd(rawTrailers: string[]): void;
}

/** Drives one parser of Node's over many streams of bytes, one after another: to make a parser costs more than to parse. */
export class NodeReader {
  readonly #type: number;
  readonly #parser = new NodeParser();
  #events: NodeEvents | undefined;
  #fields: string[] = [];
  #url = '';

  constructor(type: number) {
    this.#type = type;
    const parser = this.#parser;
    parser[NodeParser.kOnHeaders | 0] = (fields: string[], url: string) => {
      this.#fields.push(...fields);
      this.#url += url;
    };
    parser[NodeParser.kOnHeadersComplete | 0] = (
      _major: number,
      minor: number,
      fields: string[] | undefined,
      method: number,
      url: string | undefined,
      status: number,
      reason: string,
      upgrade: boolean,
      keepAlive: boolean,
    ) => {
      const rawHeaders = fields ?? this.#takeFields();
      return this.#events?.onHead({
        minor,
        rawHeaders,
        method,
        url: url ?? this.#url,
        status,
        reason,
        upgrade,
        keepAlive,
      });
    };
    parser[NodeParser.kOnBody | 0] = (bytes: Buffer) => this.#events?.onBody(bytes.toString('latin1'));
    parser[NodeParser.kOnMessageComplete | 0] = () => {
      this.#events?.onEnd(this.#takeFields());
      this.#url = '';
    };
  }

  /**
   * Reads these pieces, up to the end of the connection.
   * @returns why it stopped, or `undefined`
   */
  read(pieces: readonly Buffer[], events: NodeEvents, lenient: number = 0): string | undefined {
    this.#events = events;
    this.#fields = [];
    this.#url = '';
    this.#parser.initialize(this.#type, {}, MAX_HEADER_SIZE, lenient);
    for (const piece of pieces) {
      if (piece.length === 0) continue; // would be the end
      const taken = this.#parser.execute(piece);
      if (typeof taken !== 'number') return taken.code;
      if (taken < piece.length) return 'upgrade';
    }
    const left = this.#parser.finish();
    return typeof left === 'object' ? left.code : undefined;
  }

  #takeFields(): string[] {
    const fields = this.#fields;
    this.#fields = [];
    return fields;
  }
}
