/** Who ended a request: client, server, pool (by a rule), or an operator; lower case: by not doing anything for too long. */
type Ender = 'C' | 'c' | 'S' | 's' | 'P' | 'L' | 'R' | 'I' | 'K' | 'D' | 'U';

/** Where it stood: request, tarpit, queue, connection, response head, data. */
type RequestPhase = 'R' | 'T' | 'Q' | 'C' | 'H' | 'D';

/** How a request ended, as HAProxy's log writes it (`%ts`): who ended it, then in which phase. `--` is a normal end. */
export type TerminationFlags = '--' | `${Ender}${RequestPhase}`;

/** Which time limit was reached: what stands behind `timeout` in HAProxy's words. `total` is ours. */
export type TimeLimit = 'connect' | 'server' | 'client' | 'queue' | 'tunnel' | 'server-fin' | 'client-fin' | 'total';

/** A stable code that tells what failed. */
export type ErrorCode =
  | 'EK_NO_SERVER'
  | 'EK_QUEUE_FULL'
  | 'EK_QUEUE_TIMEOUT'
  | 'EK_CONNECT'
  | 'EK_CONNECT_TIMEOUT'
  | 'EK_BAD_RESPONSE'
  | 'EK_SERVER_TIMEOUT'
  | 'EK_CUT'
  | 'EK_CLOSED'
  | 'EK_ABORTED'
  | 'EK_BODY_CONSUMED'
  | 'EK_UNKNOWN_SERVER';

/** Every error code, with the status a client gets for it, its usual termination flags and its message. */
export const ERRORS: Readonly<Record<ErrorCode, { status: number; flags: TerminationFlags; message: string }>> = {
  EK_NO_SERVER: { status: 503, flags: 'SC', message: 'no server can take the request' },
  EK_QUEUE_FULL: { status: 503, flags: 'SQ', message: 'every usable server is full' },
  EK_QUEUE_TIMEOUT: { status: 503, flags: 'sQ', message: 'no server came free in time' },
  EK_CONNECT: { status: 503, flags: 'SC', message: 'could not connect to the server' },
  EK_CONNECT_TIMEOUT: { status: 503, flags: 'sC', message: 'the connection to the server was not made in time' },
  EK_BAD_RESPONSE: { status: 502, flags: 'SH', message: 'the server gave no valid response' },
  EK_SERVER_TIMEOUT: { status: 504, flags: 'sH', message: 'the server did not answer in time' },
  EK_CUT: { status: 502, flags: 'SD', message: 'the response was cut' },
  EK_CLOSED: { status: 503, flags: 'SC', message: 'the pool is closed' },
  EK_ABORTED: { status: 499, flags: 'CH', message: 'the caller left' },
  EK_BODY_CONSUMED: { status: 500, flags: 'IH', message: 'the request body was consumed before the pool got it' },
  EK_UNKNOWN_SERVER: { status: 500, flags: '--', message: 'the pool has no such server' },
};

/** What an `EvenkeelError` may be told beyond its code. */
export interface ErrorDetails {
  message?: string;
  status?: number;
  flags?: TerminationFlags;
  server?: string | undefined;
  timeout?: TimeLimit | undefined;
  cause?: unknown;
}

/** Every error a pool throws, rejects with or reports, except for wrong options (`ConfigError`). */
export class EvenkeelError extends Error {
  override readonly name: string = 'EvenkeelError';
  /** Stable; safe to compare with. */
  readonly code: ErrorCode;
  /** The HTTP status a client gets for it. */
  readonly status: number;
  /** HAProxy's termination flags. */
  readonly flags: TerminationFlags;
  /** Name of the server it happened on, if one had been chosen. */
  readonly server: string | undefined;
  /** The time limit that was reached, if one was. */
  readonly timeout: TimeLimit | undefined;

  constructor(code: ErrorCode, details: ErrorDetails = {}) {
    const known = ERRORS[code];
    super(details.message ?? known.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.status = details.status ?? known.status;
    this.flags = details.flags ?? known.flags;
    this.server = details.server;
    this.timeout = details.timeout;
  }
}

/** One thing wrong with the options. */
export interface ConfigFault {
  /** Where: `servers[1].weight`. */
  readonly path: string;
  /** What stood there. */
  readonly value: unknown;
  /** What is wrong, and what is allowed. */
  readonly message: string;
}

/** Options that cannot be used. Lists every fault found, not just the first; nothing was started or changed. */
export class ConfigError extends Error {
  override readonly name: string = 'ConfigError';
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    super(
      `${faults.length === 1 ? 'an option is wrong' : `${faults.length} options are wrong`}:\n${faults
        .map((fault) => `  ${fault.path}: ${fault.message}`)
        .join('\n')}`,
    );
    this.faults = Object.freeze(faults.map((fault) => Object.freeze({ ...fault })));
  }
}
