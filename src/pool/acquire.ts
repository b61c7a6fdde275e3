import type { RequestContext } from '../core/context.ts';
import { EvenkeelError } from '../core/errors.ts';
import { type Abortable, AbortSignals } from './abort-signals.ts';
import type { BackendServer } from './backend-server.ts';
import { type Lease, LeaseSlot } from './lease.ts';
import type { PoolCore } from './pool-core.ts';
import { type Place, type Queued, RequestQueue, type Waiter } from './request-queue.ts';

/** What a caller asks for. */
export interface AcquireRequest {
  readonly context: RequestContext;
  /** Servers not to use while another has room. */
  readonly avoid: readonly string[];
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
}

/** A slot of a server at once; `undefined`: none is free. */
export function tryAcquireSlot(
  core: PoolCore,
  context: RequestContext,
  avoid: readonly string[],
): LeaseSlot | undefined {
  if (core.refusal()) return undefined;
  const place = placeFor(core, context, avoid);
  return place instanceof EvenkeelError || place instanceof RequestQueue ? undefined : new LeaseSlot(core, place);
}

/**
 * A lease on a slot of a server, which is waited for where it must be.
 * @param lend makes the lease
 * @throws {EvenkeelError}
 */
export function acquireLease(
  core: PoolCore,
  request: AcquireRequest,
  lend: (slot: LeaseSlot) => Lease,
): Lease | Promise<Lease> {
  const { signal, context, avoid } = request;
  if (signal?.aborted) throw aborted(signal);
  const refusal = core.refusal();
  if (refusal) throw refusal;
  const place = placeFor(core, context, avoid);
  if (place instanceof EvenkeelError) throw place;
  if (!(place instanceof RequestQueue)) return lend(new LeaseSlot(core, place));
  if (core.admission.full) throw new EvenkeelError('EK_QUEUE_FULL');
  return new Acquisition(core, request, place, lend).lease;
}

function placeFor(core: PoolCore, context: RequestContext, avoid: readonly string[]): Place {
  if (avoid.length === 0) return core.choice.first(context, undefined, { persistent: false });
  return core.choice.again(context, named(core.balancer.servers, avoid));
}

/** Those of the servers that are named, the first name last. */
function named(servers: readonly BackendServer[], names: readonly string[]): BackendServer[] {
  return servers
    .filter(({ name }) => names.includes(name))
    .sort((a, b) => names.indexOf(b.name) - names.indexOf(a.name));
}

function aborted(signal: AbortSignal): EvenkeelError {
  return new EvenkeelError('EK_ABORTED', { cause: signal.reason, flags: 'CQ' });
}

const signals = new AbortSignals();

/** A caller that waits for a slot. */
class Acquisition implements Queued, Abortable {
  readonly lease: Promise<Lease>;
  readonly #core: PoolCore;
  readonly #request: AcquireRequest;
  readonly #waiter: Waiter;
  readonly #lend: (slot: LeaseSlot) => Lease;
  readonly #resolve: (lease: Lease) => void;
  readonly #reject: (error: EvenkeelError) => void;

  constructor(core: PoolCore, request: AcquireRequest, queue: RequestQueue, lend: (slot: LeaseSlot) => Lease) {
    this.#core = core;
    this.#request = request;
    this.#lend = lend;
    ({ promise: this.lease, resolve: this.#resolve, reject: this.#reject } = Promise.withResolvers<Lease>());
    const now = core.environment.now();
    core.limits.enter();
    this.#waiter = core.admission.wait(this, queue, core.priorityOf(request.context), now, request.timeoutMs);
    if (request.signal) signals.watch(request.signal, this);
  }

  chooseAnew(): Place {
    return placeFor(this.#core, this.#request.context, this.#request.avoid);
  }

  onTurn(server: BackendServer): void {
    const slot = new LeaseSlot(this.#core, server);
    this.#end();
    this.#resolve(this.#lend(slot));
  }

  onRefused(error: EvenkeelError): void {
    this.#end();
    this.#reject(error);
  }

  onAbort(signal: AbortSignal): void {
    this.#core.admission.leave(this.#waiter);
    this.onRefused(aborted(signal));
  }

  #end(): void {
    const { signal } = this.#request;
    if (signal) signals.forget(signal, this);
    this.#core.limits.leave();
    this.#core.tell();
  }
}
