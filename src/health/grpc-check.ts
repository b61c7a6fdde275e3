import { type ClientHttp2Stream, connect, constants, type IncomingHttpHeaders } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { serverName } from '../connections/dial.ts';
import type { OptionReader } from '../core/options.ts';
import { excerpt, failed, LONGEST_ANSWER, passed } from './dialogue.ts';
import { type CheckResult, type HealthCheck, oneLine, type Probe } from './health-check.ts';
import { ProbeConnection, type ProbeProtocol } from './probe-connection.ts';

/** The options of a check by gRPC's own health service, `grpc.health.v1.Health/Check`. HAProxy has none. */
export interface GrpcCheckOptions {
  readonly type: 'grpc';
  /** The service asked about; the empty name means the server as a whole. Default: `''`. */
  readonly service?: string;
}

export function readGrpcCheck(read: OptionReader): HealthCheck {
  const service = read.read('service', '', 'the name of a service: up to 255 characters', (value) =>
    typeof value === 'string' && value.length <= 255 ? value : undefined,
  );
  const request = healthRequest(service);
  return {
    run(probe, onResult) {
      const { address, tls } = probe.target;
      const overHttp2: Probe = { ...probe, target: { ...probe.target, tls: tls && { ...tls, alpn: ['h2'] } } };
      const sni = serverName(probe.target, address.authority);
      return new ProbeConnection(overHttp2, sni, new GrpcProbe(address.authority, request), onResult).cancel;
    },
  };
}

/** The frame of a HealthCheckRequest: `string service = 1`. */
export function healthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const size = name.length < 0x80 ? [name.length] : [(name.length & 0x7f) | 0x80, name.length >> 7];
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...size]), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** HealthCheckResponse.ServingStatus. */
const SERVING_STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;
const SERVING = 1;

/** The status in the frame of a HealthCheckResponse, `ServingStatus status = 1`; `undefined`: it is none. */
export function servingStatus(frame: Buffer): number | undefined {
  if (frame.length < 5 || frame[0] !== 0 || frame.readUInt32BE(1) !== frame.length - 5) return undefined;
  // What is at its default is left out.
  if (frame.length === 5) return 0;
  const [key, value = 0x80] = frame.subarray(5);
  return key === 0x08 && value < 0x80 && frame.length === 7 ? value : undefined;
}

/** Names of `grpc-status` that a health service answers with when something is wrong. */
const GRPC_STATUSES: Readonly<Record<number, string>> = {
  1: 'CANCELLED',
  2: 'UNKNOWN',
  4: 'DEADLINE_EXCEEDED',
  5: 'NOT_FOUND',
  7: 'PERMISSION_DENIED',
  8: 'RESOURCE_EXHAUSTED',
  12: 'UNIMPLEMENTED',
  13: 'INTERNAL',
  14: 'UNAVAILABLE',
  16: 'UNAUTHENTICATED',
};

/** What came of a call. */
export interface GrpcAnswer {
  readonly httpStatus: number;
  readonly contentType: string;
  /** `grpc-status` and `grpc-message`, wherever they stood. */
  readonly status: string | undefined;
  readonly message: string | undefined;
  readonly body: Buffer;
}

export function judge({ httpStatus, contentType, status, message, body }: GrpcAnswer): CheckResult {
  if (httpStatus !== 200) return failed('L7STS', `HTTP status ${httpStatus}`, httpStatus);
  if (!contentType.startsWith('application/grpc'))
    return failed('L7RSP', `not the answer of a gRPC server: content-type ${oneLine(contentType) || 'missing'}`);
  if (status === undefined || !/^\d{1,3}$/.test(status)) return failed('L7RSP', 'the answer has no grpc-status');
  const code = Number(status);
  if (code !== 0) {
    const name = GRPC_STATUSES[code];
    const words = message === undefined ? '' : `: ${message}`;
    return failed('L7STS', oneLine(`grpc-status ${code}${name ? ` ${name}` : ''}${words}`), code);
  }
  const serving = servingStatus(body);
  if (serving === undefined) return failed('L7RSP', `not a HealthCheckResponse: ${excerpt(body)}`);
  const name = SERVING_STATUSES[serving] ?? `status ${serving}`;
  return serving === SERVING ? passed(name) : failed('L7STS', name);
}

class GrpcProbe implements ProbeProtocol {
  readonly reset = false;
  readonly #authority: string;
  readonly #request: Buffer;

  constructor(authority: string, request: Buffer) {
    this.#authority = authority;
    this.#request = request;
  }

  onReady(connection: ProbeConnection): CheckResult | undefined {
    const { socket, overTls } = connection;
    if (!socket) return undefined;
    if (overTls && (socket as TLSSocket).alpnProtocol !== 'h2')
      return failed('L7RSP', 'the server does not speak HTTP/2: it took no ALPN h2');
    const scheme = overTls ? 'https' : 'http';
    const session = connect(`${scheme}://${this.#authority}`, {
      createConnection: () => socket,
      settings: { enablePush: false },
      maxSessionMemory: 1,
    });
    const settle = (result: CheckResult): void => {
      connection.settle(result);
      session.destroy();
    };
    session.unref();
    session.on('error', () => {});
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'evenkeel',
    });
    readAnswer(stream, settle);
    stream.end(this.#request);
    return undefined;
  }
}

/** Reads the answer of a stream to its end, however that comes. */
function readAnswer(stream: ClientHttp2Stream, settle: (result: CheckResult) => void): void {
  const fields: Record<string, string | undefined> = {};
  const take = (headers: IncomingHttpHeaders): void => {
    for (const name of ['content-type', 'grpc-status', 'grpc-message']) fields[name] ??= headers[name]?.toString();
  };
  let httpStatus: number | undefined;
  const body: Buffer[] = [];
  let length = 0;
  stream.on('response', (headers) => {
    httpStatus = headers[':status'] ?? 0;
    take(headers);
  });
  stream.on('trailers', take);
  stream.on('data', (piece: Buffer) => {
    length += piece.length;
    if (length > LONGEST_ANSWER) settle(failed('L7RSP', `${LONGEST_ANSWER} bytes without the end of the answer`));
    else body.push(piece);
  });
  // Faults of the session, too, end its stream.
  let fault = '';
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_HTTP2_ERROR')
      settle(failed('L7RSP', `not the answer of an HTTP/2 server: ${oneLine(error.message)}`));
    else fault = `: ${oneLine(error.message)}`;
  });
  stream.on('close', () => {
    const cut = stream.rstCode !== constants.NGHTTP2_NO_ERROR && fields['grpc-status'] === undefined;
    if (httpStatus === undefined || cut) {
      settle(failed('L7RSP', `closed ${httpStatus === undefined ? 'before' : 'within'} the answer${fault}`));
      return;
    }
    const { 'content-type': contentType = '', 'grpc-status': status, 'grpc-message': message } = fields;
    settle(judge({ httpStatus, contentType, status, message, body: Buffer.concat(body) }));
  });
}
