import type { PoolEvents } from '#src/index.ts';
import type { Ending } from '../../../test/support/client-exchange.ts';
import { maxconnOf, SETTLED_MS } from './pool-options.ts';
import type { RestlessServer } from './restless-server.ts';
import type { Tally } from './tally.ts';

type RequestEvent = Parameters<PoolEvents['request']>[0];

/** What a client asks for. */
export type Kind = 'get' | 'big' | 'put' | 'post' | 'upload' | 'upgrade';

/** These may be sent to a second server, and whole: their bodies, if any, are small enough to be kept. */
const REPEATABLE: ReadonlySet<Kind> = new Set(['get', 'big', 'put', 'upgrade']);

/** What a client has seen of its answer. */
export interface Sight {
  readonly ended: Ending;
  readonly status: number;
  /** Whose answer it was: that of a server in order, one of the pool's own, that of a server in trouble; or of nobody. */
  readonly from: 'server' | 'pool' | 'troubled' | 'nobody';
  /** What is wrong with it, whatever servers do. */
  readonly fault: string | undefined;
  /** An earlier answer on the connection was not whole, or its client left: nothing can be said of this one. */
  readonly lost: boolean;
}

/** One request that is not over for both, its client and the pool. */
interface Entry {
  readonly kind: Kind;
  /** On its way to the pool, the pool had it at this time. */
  arrivedAt: number | undefined;
  event: RequestEvent | undefined;
  /** A server without a limit was in order and in service for as long as the pool had the request. */
  hadServer: boolean;
  sight: Sight | undefined;
}

/** How repeatable requests ended that had a server in order all the time. */
export interface Shares {
  /** A whole answer: a server's. */
  answered: number;
  /** A failure of a server's own, which is passed on. */
  serverError: number;
  /** The server died in its answer: what a client has begun to read cannot be taken back. */
  cut: number;
  /** The operator ended it with its server. */
  ended: number;
  /** None of these: the pool should have done better. */
  failed: number;
}

/** Keeps account of every request until its client and the pool have both said how it ended, and compares what they say. */
export class Ledger {
  /** Requests that may be sent to a second server, and whose connection was not lost under them. */
  repeatable = 0;
  readonly shares: Shares = { answered: 0, serverError: 0, cut: 0, ended: 0, failed: 0 };
  readonly asked: Record<Kind, number> = { get: 0, big: 0, put: 0, post: 0, upload: 0, upgrade: 0 };
  /** Events by termination flags. */
  readonly flags: Record<string, number> = {};
  /** Requests of which the pool never heard: the connection ended before. */
  unheard = 0;
  retries = 0;
  hedges = 0;
  /** What must not be. */
  readonly faults: string[] = [];
  /** The failed of `shares`, in words. */
  readonly failures: string[] = [];
  readonly #servers: readonly RestlessServer[];
  readonly #posts: Tally;
  readonly #stateOf: (server: string) => string;
  readonly #open = new Map<number, Entry>();
  #last = 0;

  /** @param stateOf what the pool thinks of a server */
  constructor(servers: readonly RestlessServer[], posts: Tally, stateOf: (server: string) => string) {
    this.#stateOf = stateOf;
    this.#servers = servers;
    this.#posts = posts;
  }

  /** A client is about to ask. Gives the number that its target must bear. */
  open(kind: Kind): number {
    this.asked[kind]++;
    this.#open.set(++this.#last, { kind, arrivedAt: undefined, event: undefined, hadServer: false, sight: undefined });
    return this.#last;
  }

  /** The pool is about to be given the request. */
  arrived(target: string): void {
    const entry = this.#open.get(idOf(target));
    if (entry?.arrivedAt === undefined && entry) entry.arrivedAt = performance.now();
    else this.faults.push(`${target}: reached the pool twice, or from nobody`);
  }

  /** The pool's word on how it ended. */
  ended(event: RequestEvent): void {
    const id = idOf(event.url ?? '');
    const entry = this.#open.get(id);
    this.flags[event.flags] = (this.flags[event.flags] ?? 0) + 1;
    this.retries += event.retries;
    this.hedges += event.hedges;
    if (!entry || entry.event || entry.arrivedAt === undefined) {
      this.faults.push(`${event.url}: an event too many, ${event.status} ${event.flags}`);
      return;
    }
    const since = entry.arrivedAt;
    entry.event = event;
    // One that may be full is none to count on: while others have room, a retry goes to these, whatever they have done.
    entry.hadServer = this.#servers.some(
      ({ name, goodSince = Number.POSITIVE_INFINITY }) => maxconnOf(name) === 0 && goodSince + SETTLED_MS <= since,
    );
    if (entry.sight) this.#settle(id, entry, event, entry.sight);
  }

  /** The client's word. */
  saw(id: number, sight: Sight): void {
    const entry = this.#open.get(id);
    if (!entry || entry.sight) throw new Error(`request ${id} has ended for its client before`);
    entry.sight = sight;
    if (entry.event) this.#settle(id, entry, entry.event, sight);
  }

  /** All is over: what has not been accounted for will not be. */
  close(): void {
    for (const [id, { kind, arrivedAt, event, sight }] of this.#open) {
      if (!sight) this.faults.push(`${kind} ${id}: its client still waits`);
      else if (arrivedAt !== undefined && !event)
        this.faults.push(`${kind} ${id}: no event, its client saw ${inWords(sight)}`);
      else if (sight.ended === 'complete')
        this.faults.push(`${kind} ${id}: answered, and the pool has not heard of it`);
      else this.unheard++;
    }
    this.#open.clear();
  }

  #settle(id: number, entry: Entry, event: RequestEvent, sight: Sight): void {
    this.#open.delete(id);
    const { kind, hadServer } = entry;
    const both = `${kind} ${id}: ${event.status} ${event.flags} after ${event.retries} retries, its client saw ${inWords(sight)}`;
    const fault = sight.fault ?? (sight.lost ? undefined : disagreement(kind, event, sight));
    if (fault !== undefined) this.faults.push(`${both}: ${fault}`);
    if ((kind === 'post' || kind === 'upload') && sight.from === 'server' && this.#posts.of(id) !== 1)
      this.faults.push(`${both}: ran ${this.#posts.of(id)} times`);
    if (sight.lost || !REPEATABLE.has(kind)) return;
    this.repeatable++;
    if (!hadServer) return;
    const end = endOf(event, sight);
    this.shares[end]++;
    if (end === 'failed')
      this.failures.push(`${both} (${event.server}, ${event.totalMs.toFixed()} ms); ${this.#conditions()}`);
  }

  #conditions(): string {
    return this.#servers.map(({ name, condition }) => `${name} ${this.#stateOf(name)} (${condition})`).join(', ');
  }
}

/** Where the pool and the client do not say the same. */
function disagreement(kind: Kind, { status, flags }: RequestEvent, { ended, status: seen }: Sight): string | undefined {
  if (ended === 'hang') return 'it hangs';
  if (ended === 'junk') return 'it is no HTTP';
  const cut = flags[1] === 'D' && kind !== 'upgrade';
  if (ended === 'complete') return status !== seen ? 'another status' : cut ? 'cut for the pool only' : undefined;
  // A client that goes on sending when it has its answer may lose it to a reset: RFC 9112 §9.6.
  if (kind === 'upload') return undefined;
  return flags === '--' ? 'cut for the client only' : undefined;
}

function endOf({ flags }: RequestEvent, { ended, from }: Sight): keyof Shares {
  if (ended === 'complete' && from === 'server') return 'answered';
  if (ended === 'complete' && from === 'troubled') return 'serverError';
  if (flags[0] === 'K') return 'ended';
  return /^[SsP]D$/.test(flags) ? 'cut' : 'failed';
}

function inWords({ ended, status, from }: Sight): string {
  return `${status} from ${from}, ${ended}`;
}

/** The number of the request with this target. */
function idOf(target: string): number {
  return Number(target.split('/')[2]);
}
