import http2 from 'node:http2';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type CheckCode, type CheckResult, oneLine } from './health-check.ts';
import { HttpAnswer } from './http-answer.ts';
import { HttpProbe } from './http-probe.ts';
import { type CheckRequest, sendsLength } from './http-request.ts';
import { connected, type HttpStage, type HttpSurroundings } from './http-stage.ts';
import type { ProbeConnection } from './probe-connection.ts';
import { type Conversation, PROCEED } from './stages.ts';
import type { StepRun } from './step-run.ts';
import { inPlace } from './steps.ts';

/** What in HTTP/2 is said otherwise, or belongs to HTTP/1 alone (RFC 9113 §8.2.2). */
const NOT_IN_HTTP2: readonly string[] = [
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'upgrade',
  'http2-settings',
  'te',
];

/**
 * The same requests as streams of HTTP/2, one after another, where the server chose it in the TLS handshake or is known to
 * speak it; else over HTTP/1.
 */
export class Http2Probe implements Conversation {
  readonly reset = false;
  readonly #stage: HttpStage;
  readonly #surroundings: HttpSurroundings;
  readonly #run: StepRun;
  /** The server is known to speak HTTP/2. */
  readonly #known: boolean;
  #http1: HttpProbe | undefined;
  #link: ProbeConnection | undefined;
  #session: http2.ClientHttp2Session | undefined;
  #at = -1;
  #answer: HttpAnswer | undefined;
  #over = false;

  constructor(stage: HttpStage, surroundings: HttpSurroundings, known: boolean, run: StepRun) {
    this.#stage = stage;
    this.#surroundings = surroundings;
    this.#run = run;
    this.#known = known;
  }

  get where(): string {
    if (this.#over) return '';
    return (
      this.#http1?.where ?? this.#answer?.where ?? inPlace(this.#stage.place, 'http-check', this.#stage.connect.words)
    );
  }

  get timeout(): CheckCode {
    return this.#http1?.timeout ?? this.#answer?.timeout ?? 'L7TOUT';
  }

  takesOver(socket: Socket): boolean {
    const isHttp2 = this.#known || (socket instanceof TLSSocket && socket.alpnProtocol === 'h2');
    if (!isHttp2) this.#http1 = new HttpProbe(this.#stage, this.#surroundings, this.#run);
    return isHttp2;
  }

  onReady(connection: ProbeConnection): CheckResult | undefined {
    if (this.#http1) return this.#http1.onReady(connection);
    const { socket, overTls } = connection;
    if (this.#stage.exchanges.length === 0 || !socket) return connected(this.#stage, overTls);
    this.#link = connection;
    const session = http2.connect(`${overTls ? 'https' : 'http'}://${this.#surroundings.authority}`, {
      createConnection: () => socket,
      settings: { enablePush: false },
      maxSessionMemory: 1,
    });
    session.unref();
    session.on('error', (error) => connection.step(() => this.#broken(error)));
    this.#session = session;
    this.#ask();
    return undefined;
  }

  onBytes(buffer: Buffer, length: number): CheckResult | undefined {
    return this.#http1?.onBytes(buffer, length);
  }

  onClosed(): CheckResult | undefined {
    return this.#http1 ? this.#http1.onClosed() : this.#broken(undefined);
  }

  onSettled(): void {
    this.#session?.destroy();
  }

  #ask(): void {
    const exchange = this.#stage.exchanges[++this.#at];
    if (!exchange || !this.#session) return;
    const answer = new HttpAnswer(exchange, this.#run, this.#stage.keepsBodies);
    this.#answer = answer;
    const request = answer.begin();
    const judge = (): void => this.#link?.step(() => (answer === this.#answer ? this.#verdict(answer) : undefined));
    const stream = this.#session.request(headersOf(request, this.#surroundings), { endStream: false });
    stream.on('response', (headers, _flags, raw) => {
      answer.onHead({ status: Number(headers[':status']), headers: withoutPseudo(raw ?? []) });
      judge();
    });
    stream.on('data', (bytes: Buffer) => {
      answer.onBody(bytes, 0, bytes.length);
      judge();
    });
    stream.on('end', () => {
      // Node ends a stream that is cancelled, too.
      if (stream.rstCode !== http2.constants.NGHTTP2_NO_ERROR) return;
      answer.onEnd();
      judge();
    });
    stream.on('error', (error) => this.#link?.step(() => (answer.complete ? undefined : this.#broken(error))));
    stream.on('close', () => this.#link?.step(() => (answer.complete ? undefined : this.#broken(undefined))));
    stream.end(request.body);
  }

  #verdict(answer: HttpAnswer): CheckResult | undefined {
    const verdict = answer.verdict();
    if (verdict !== 'held') return verdict;
    if (this.#at === this.#stage.exchanges.length - 1) {
      this.#over = true;
      return this.#stage.last ? answer.passed() : PROCEED;
    }
    const end = answer.end();
    if (end !== 'whole') return end;
    this.#ask();
    return undefined;
  }

  #broken(error: Error | undefined): CheckResult | undefined {
    const answer = this.#answer;
    answer?.onBad(
      error ? `HTTP/2: ${oneLine(error.message)}` : 'the connection was closed before the response was complete',
    );
    return answer && this.#verdict(answer);
  }
}

function headersOf(request: CheckRequest, { authority, added }: HttpSurroundings): http2.OutgoingHttpHeaders {
  const { method, uri, fields, body, host } = request;
  const [, ofUri, path = uri] = /^https?:\/\/([^/?]*)(.*)$/.exec(uri) ?? [];
  // A field may have the name of something that all objects have.
  const headers: Record<string, string | string[]> = Object.assign(Object.create(null), {
    ':method': method,
    ':path': path === '' ? '/' : path,
    ':authority': host ?? ofUri ?? authority,
  });
  for (const [name, value] of [...fields, ...added]) {
    const key = name.toLowerCase();
    if (!NOT_IN_HTTP2.includes(key)) headers[key] = [...(headers[key] ?? []), value];
  }
  if (sendsLength(request)) headers['content-length'] = String(body.length);
  return headers;
}

function withoutPseudo(raw: readonly string[]): string[] {
  const fields: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string;
    if (!name.startsWith(':')) fields.push(name, raw[at + 1] as string);
  }
  return fields;
}
