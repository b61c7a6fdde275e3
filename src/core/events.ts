import type { EvenkeelError, TerminationFlags, TimeLimit } from './errors.ts';

/** Payload of `server:up` and `server:down`. */
export interface ServerHealthEvent {
  /** Name of the server. */
  readonly server: string;
  /** Why, in words: `Layer4 connection problem: connect ECONNREFUSED 127.0.0.1:3001 (L4CON)`. */
  readonly reason: string;
  /** Its state now, in HAProxy's words: `UP`, `UP 1/3`, `DOWN`, `DOWN (agent)`, `NOLB`. */
  readonly state: string;
}

/** Payload of `server:state`: an operator, its agent or the server it tracks changed it. */
export interface ServerStateEvent {
  readonly server: string;
  readonly from: 'ready' | 'drain' | 'maint';
  readonly to: 'ready' | 'drain' | 'maint';
  /** Who wants it, in words: `set by an operator`. */
  readonly reason: string;
}

/** Payload of `server:weight`: an operator or its agent changed it. */
export interface ServerWeightEvent {
  readonly server: string;
  readonly from: number;
  readonly to: number;
}

/** Payload of `server:added`. */
export interface ServerAddedEvent {
  readonly server: string;
  readonly url: string;
}

/** Payload of `server:removed`. */
export interface ServerRemovedEvent {
  readonly server: string;
  /** Requests and leases that were cut when the grace time was over. */
  readonly cut: number;
}

/** Payload of `server:check`: one check has ended. */
export interface ServerCheckEvent {
  readonly server: string;
  readonly result: 'passed' | 'failed' | 'neutral' | 'conditional';
  /** HAProxy's code: `L7OK`, `L4CON` … */
  readonly code: string;
  /** HTTP status, where the check saw one. */
  readonly status: number | undefined;
  readonly description: string;
  readonly durationMs: number;
  /** The server's agent was asked. */
  readonly agent: boolean;
}

/** What has shown that a server is to be ejected; `trial`: a request that tried it once its ejection was over. */
export type EjectionCause = 'consecutive-errors' | 'success-rate' | 'latency' | 'retry-after' | 'trial';

/** Payload of `server:ejected`: live traffic has shown a server to be worse than the others. Also when its trials have failed. */
export interface ServerEjectedEvent {
  readonly server: string;
  readonly cause: EjectionCause;
  /** In words: `5 errors in a row, the last: status 503`. */
  readonly reason: string;
  /** Milliseconds until it is tried again. */
  readonly forMs: number;
}

/** Payload of `server:half-open`: its ejection is over, and a few requests try it. */
export interface ServerHalfOpenEvent {
  readonly server: string;
}

/** Payload of `server:restored`: it takes its share again. */
export interface ServerRestoredEvent {
  readonly server: string;
}

/** What came of a request's cookie, then what was done to that of its answer; `--`: the pool has no `cookie`. HAProxy: the last two of `%tsc`. */
export type CookieFlags = '--' | `${'N' | 'I' | 'D' | 'V' | 'E' | 'O' | 'U'}${'N' | 'I' | 'U' | 'P' | 'R' | 'D'}`;

/** Payload of `request`: one request has ended, however it did. */
export interface RequestEvent {
  readonly method: string | undefined;
  readonly url: string | undefined;
  /** Name of the server that answered, or was tried last. */
  readonly server: string | undefined;
  /** Status sent to the client; 499 when it had left before. */
  readonly status: number;
  /** HAProxy's termination flags; `--` is a normal end. */
  readonly flags: TerminationFlags;
  /** What became of its cookie and its answer's, where the pool has a `cookie`. */
  readonly cookieFlags: CookieFlags;
  /** The time limit that ended it, if one did. */
  readonly timeout: TimeLimit | undefined;
  /** What it failed with; `undefined` where a server answered it, its client left, or its answer was cut. */
  readonly error: EvenkeelError | undefined;
  /** Attempts after the first. */
  readonly retries: number;
  /** Second attempts beside one that was slow: hedges. */
  readonly hedges: number;
  /** It was answered by, or last tried on, another server than the first. */
  readonly redispatched: boolean;
  /** Time waited for a server, in milliseconds. */
  readonly queueMs: number;
  /** Until the last connection was there; 0 for a kept one. */
  readonly connectMs: number;
  /** From the connection to the response's head. */
  readonly responseMs: number;
  readonly totalMs: number;
  /** Bytes of request body sent to servers. */
  readonly bytesIn: number;
  /** Bytes of response body sent to the client. */
  readonly bytesOut: number;
}

/**
 * Payload of `sample:error`: a function of the user's (a rule, a scheduler, an error file) threw. Where nobody listens, the process
 * is warned (`EvenkeelWarning`), once for each sample.
 */
export interface SampleErrorEvent {
  /** Which one: `httpRequest[2].call`. */
  readonly sample: string;
  readonly error: unknown;
}

/** Payload of `lease:leaked`: a lease was lost without `release`; its slot is free again. */
export interface LeaseLeakedEvent {
  readonly server: string;
}

/** Payload of `close`: the pool is closed. */
export interface CloseEvent {
  /** Requests and tunnels that were cut when the grace time was over. */
  readonly cut: number;
  /** Leases that were never released. */
  readonly leaked: number;
}

/** Every event a pool emits, with its payload. */
export interface PoolEvents {
  'server:up': (event: ServerHealthEvent) => void;
  'server:down': (event: ServerHealthEvent) => void;
  'server:state': (event: ServerStateEvent) => void;
  'server:weight': (event: ServerWeightEvent) => void;
  'server:added': (event: ServerAddedEvent) => void;
  'server:removed': (event: ServerRemovedEvent) => void;
  'server:check': (event: ServerCheckEvent) => void;
  'server:ejected': (event: ServerEjectedEvent) => void;
  'server:half-open': (event: ServerHalfOpenEvent) => void;
  'server:restored': (event: ServerRestoredEvent) => void;
  request: (event: RequestEvent) => void;
  'sample:error': (event: SampleErrorEvent) => void;
  'lease:leaked': (event: LeaseLeakedEvent) => void;
  close: (event: CloseEvent) => void;
}
