import { readFileSync } from 'node:fs';

/** A server of a scenario, by HAProxy's keywords. */
export interface StickServer {
  readonly name: string;
  readonly weight?: number;
  readonly backup?: true;
  readonly nonStick?: true;
}

/** When a rule holds: the request has that field, the response that status, the entry tracked last more than that. */
export type Condition =
  | { readonly header: string }
  | { readonly status: number }
  | { readonly over: readonly [datum: string, value: number] };

/** A stick rule: HAProxy's words behind `stick`, without the condition. */
export interface StickLine {
  readonly rule: `${'on' | 'match' | 'store-request' | 'store-response'} ${string}`;
  readonly if?: Condition;
}

/** A rule of `http-request` or `http-response`: one of these. Those on data are of the entry tracked last. */
export interface RuleLine {
  readonly track?: string;
  readonly table?: string;
  readonly deny?: number;
  readonly tarpit?: number;
  readonly return?: number;
  readonly increment?: string;
  readonly mark?: readonly [tag: string, value: number];
  readonly if?: Condition;
}

/** A request, and how its server answers. */
export interface StickRequest {
  /** Default: `GET /`. */
  readonly line?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Of its client, on the loopback; default: it comes by a socket of the file system, and has none. */
  readonly from?: string;
  /** 1: to the second backend. */
  readonly to?: 1;
  /** Bytes of its body. */
  readonly sends?: number;
  /** The answer's status, default 200; `junk`: no HTTP; `close`: none; `cut`: its body ends early. */
  readonly status?: number | 'junk' | 'close' | 'cut';
  readonly answer?: readonly (readonly [string, string])[];
  /** Bytes of the answer's body. */
  readonly body?: number;
}

export type ServerState = 'up' | 'down' | 'maint' | 'drain' | 'ready' | 'refusing' | 'listening';

/** What happens, one after another. */
export type StickStep =
  | { readonly ask: StickRequest }
  /** Its server does not answer until `finish`. */
  | { readonly hold: string; readonly ask: StickRequest }
  | { readonly finish: string }
  | { readonly server: string; readonly is?: ServerState; readonly weight?: number }
  /** As an operator: `server` by name. */
  | {
      readonly set: string;
      readonly table?: string;
      readonly data: Readonly<Record<string, number>>;
      readonly sticksTo?: string;
    }
  | { readonly clear: string; readonly table?: string }
  | { readonly clearAll: readonly [datum: string, op: Comparison, value: number] | null; readonly table?: string }
  | { readonly show: readonly [datum: string, op: Comparison, value: number]; readonly table?: string }
  | { readonly wait: number };

export type Comparison = 'eq' | 'ne' | 'le' | 'ge' | 'lt' | 'gt';

export interface StickScenario {
  readonly name: string;
  /** HAProxy's words behind `stick-table`, by name; that of the backend itself has none. */
  readonly tables: Readonly<Record<string, string>>;
  readonly stick?: readonly StickLine[];
  readonly request?: readonly RuleLine[];
  readonly response?: readonly RuleLine[];
  /** More lines of the `backend` sections: those that `pool-stick-options.ts` knows. */
  readonly backend?: readonly string[];
  readonly servers: readonly StickServer[];
  /** Those of a second backend with the same rules; its tables are those of the first. */
  readonly others?: readonly StickServer[];
  readonly steps: readonly StickStep[];
}

/** An entry: the name of its server, how many use it now unless none, and its data. */
export type RecordedEntry = Readonly<Record<string, number | string>>;
/** Entries by key, one character a byte. */
export type RecordedTable = Readonly<Record<string, RecordedEntry>>;

/** What came of a step. */
export interface StickOutcome {
  /** Milliseconds since the first step. */
  readonly at: number;
  /** The server that was asked; `null`: none. */
  readonly server?: string | null;
  readonly status?: number;
  /** The keys that were shown. */
  readonly shown?: readonly string[];
  /** All entries of all tables, once it was over. */
  readonly tables: Readonly<Record<string, RecordedTable>>;
}

export type RecordedStep = StickStep & { readonly expect: StickOutcome };
export type RecordedStick = Omit<StickScenario, 'steps'> & { readonly steps: readonly RecordedStep[] };

/**
 * How long a connection may take; before a server that refused is asked again, it passes. Where none refuses, a busy machine
 * has time.
 */
export function connectMsOf({ steps }: Pick<StickScenario, 'steps'>): number {
  return steps.some((step) => 'is' in step && step.is === 'refusing') ? 60 : 1000;
}

/** The names of its servers, each once. */
export function serverNames({ servers, others = [] }: Pick<StickScenario, 'servers' | 'others'>): ReadonlySet<string> {
  return new Set([...servers, ...others].map(({ name }) => name));
}

export function recordedSticks(): RecordedStick[] {
  return JSON.parse(readFileSync(new URL('../fixtures/haproxy-stick.json', import.meta.url), 'utf8'));
}
