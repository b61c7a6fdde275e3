import type { RequestContext } from '../core/context.ts';
import { EvenkeelError } from '../core/errors.ts';
import { type Abortable, AbortSignals } from './abort-signals.ts';
import type { BackendServer } from './backend-server.ts';
import type { Seeker } from './choice.ts';
import { type Lease, type LeaseSeeker, LeaseSlot } from './lease.ts';
import { type Bond, cookieOf } from './persistence.ts';
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
  core.limits.enter();
  const seeker = seekerOf(core, context);
  if (seeker.bond) core.persistence?.lookUpNow(context, seeker.bond);
  const place = placeFor(core, context, avoid, seeker);
  if (!(place instanceof EvenkeelError || place instanceof RequestQueue)) return slotOf(core, place, seeker);
  core.limits.leave();
  return undefined;
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
  const { signal, context } = request;
  if (signal?.aborted) throw aborted(signal);
  const refusal = core.refusal();
  if (refusal) throw refusal;
  // It counts before it chooses: servers may have more slots for it.
  core.limits.enter();
  const seeker = seekerOf(core, context);
  const looking = seeker.bond && core.persistence?.lookUp(context, seeker.bond);
  if (!looking) return placed(core, request, seeker, lend);
  return looking.then(() => {
    if (signal?.aborted) throw left(core, aborted(signal));
    if (core.closed) throw left(core, new EvenkeelError('EK_CLOSED'));
    return placed(core, request, seeker, lend);
  });
}

function placed(
  core: PoolCore,
  request: AcquireRequest,
  seeker: LeaseSeeker,
  lend: (slot: LeaseSlot) => Lease,
): Lease | Promise<Lease> {
  const place = placeFor(core, request.context, request.avoid, seeker);
  if (place instanceof RequestQueue) {
    if (!core.admission.full) return new Acquisition(core, request, seeker, place, lend).lease;
  } else if (!(place instanceof EvenkeelError)) return lent(core, request, seeker, place, lend);
  throw left(core, place instanceof EvenkeelError ? place : new EvenkeelError('EK_QUEUE_FULL'));
}

/** A lease on a server, once tables that processes share agree to it, or on the one that they name. */
function lent(
  core: PoolCore,
  request: AcquireRequest,
  seeker: LeaseSeeker,
  server: BackendServer,
  lend: (slot: LeaseSlot) => Lease,
): Lease | Promise<Lease> {
  const { signal, avoid } = request;
  const agreed = seeker.bond?.stores.length
    ? core.persistence?.agree(server, seeker, named(core.balancer.servers, avoid))
    : undefined;
  if (!agreed) return lend(slotOf(core, server, seeker));
  core.take(server);
  return agreed.then((other) => {
    const isOver = signal?.aborted || core.closed;
    if (other === server && server.acceptsPersistent && !isOver) return lend(slotOf(core, server, seeker, true));
    core.giveBack(server);
    if (signal?.aborted) throw left(core, aborted(signal));
    if (core.closed) throw left(core, new EvenkeelError('EK_CLOSED'));
    seeker.bond?.bindTo(other, 'stick');
    return placed(core, request, seeker, lend);
  });
}

/** It waits for nothing any more, and gets nothing. */
function left(core: PoolCore, error: EvenkeelError): EvenkeelError {
  core.limits.leave();
  core.tell();
  return error;
}

/** Takes a slot of the server, unless that was done before, and has tables told of it. */
function slotOf(core: PoolCore, server: BackendServer, seeker: LeaseSeeker, isTaken = false): LeaseSlot {
  if (seeker.bond) core.persistence?.store(server, seeker.bond, undefined);
  if (!isTaken) core.take(server);
  return new LeaseSlot(core, server, seeker);
}

function seekerOf({ persistence }: PoolCore, context: RequestContext): LeaseSeeker {
  const bond = persistence?.bind(context);
  const { method } = context;
  return { bond, preferred: undefined, redirectable: false, binding: 'none', method, cookie: cookieOf(context) };
}

function placeFor(core: PoolCore, context: RequestContext, avoid: readonly string[], seeker: Seeker): Place {
  if (avoid.length === 0 || keeps(core, seeker.bond, avoid)) return core.choice.first(context, seeker);
  seeker.binding = 'none';
  return core.choice.again(context, seeker, named(core.balancer.servers, avoid));
}

/** It belongs to a server that is not one of those to avoid, or from which it may not be taken. */
function keeps({ persistence }: PoolCore, bond: Bond | undefined, avoid: readonly string[]): boolean {
  if (!bond?.server || !persistence?.accepts(bond.server, bond)) return false;
  return bond.forced || !avoid.includes(bond.server.name);
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

/** A caller that waits for a slot. It counts as load, as the lease will that comes of it. */
class Acquisition implements Queued, Abortable {
  readonly lease: Promise<Lease>;
  readonly #core: PoolCore;
  readonly #request: AcquireRequest;
  readonly #seeker: LeaseSeeker;
  readonly #waiter: Waiter;
  readonly #lend: (slot: LeaseSlot) => Lease;
  readonly #resolve: (lease: Lease | Promise<Lease>) => void;
  readonly #reject: (error: EvenkeelError) => void;

  constructor(
    core: PoolCore,
    request: AcquireRequest,
    seeker: LeaseSeeker,
    queue: RequestQueue,
    lend: (slot: LeaseSlot) => Lease,
  ) {
    this.#core = core;
    this.#request = request;
    this.#seeker = seeker;
    this.#lend = lend;
    ({ promise: this.lease, resolve: this.#resolve, reject: this.#reject } = Promise.withResolvers<Lease>());
    const now = core.environment.now();
    this.#waiter = core.admission.wait(this, queue, core.priorityOf(request.context), now, request.timeoutMs);
    const { signal } = request;
    if (!signal) return;
    signals.watch(signal, this);
    if (signal.aborted) this.onAbort(signal); // by a function of the user's that was asked meanwhile
  }

  get forced(): boolean {
    return this.#seeker.bond?.forced === true;
  }

  chooseAnew(): Place {
    return placeFor(this.#core, this.#request.context, this.#request.avoid, this.#seeker);
  }

  onTurn(server: BackendServer): void {
    this.#forget();
    this.#resolve(lent(this.#core, this.#request, this.#seeker, server, this.#lend));
  }

  onRefused(error: EvenkeelError): void {
    this.#forget();
    this.#reject(left(this.#core, error));
  }

  onAbort(signal: AbortSignal): void {
    this.#core.admission.leave(this.#waiter);
    this.onRefused(aborted(signal));
  }

  #forget(): void {
    const { signal } = this.#request;
    if (signal) signals.forget(signal, this);
  }
}
