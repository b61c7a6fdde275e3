import { EventEmitter } from 'eventemitter3';
import { ConfigError } from '../core/errors.ts';
import { show } from '../core/options.ts';
import { nearestName } from './nearest-name.ts';
import { warnOf } from './warning.ts';

type Listener = (...values: never[]) => unknown;
type AnyListener = (this: unknown, ...values: unknown[]) => unknown;

/** Never emitted, but `once` and `on` of node:events listen to it beside what they are asked for. */
const NODES_OWN = 'error';

/**
 * An emitter whose listeners cannot hurt it: what one throws, or rejects with, is caught and warned of once a listener. An event
 * that there is not, or a listener that is no function, is refused with a `ConfigError`.
 */
export class GuardedEmitter<Events extends EventEmitter.ValidEventTypes> extends EventEmitter<Events> {
  readonly #names: readonly string[];
  /** Listener to guard, and guard to listener. */
  readonly #guards = new WeakMap<object, Listener>();
  readonly #originals = new WeakMap<object, Listener>();

  /** @param names of all events */
  constructor(names: readonly string[]) {
    super();
    this.#names = names;
  }

  override on<E extends EventEmitter.EventNames<Events>>(
    event: E,
    listener: EventEmitter.EventListener<Events, E>,
    context?: unknown,
  ): this {
    return super.on(event, this.#guard(event, listener), context);
  }

  override addListener<E extends EventEmitter.EventNames<Events>>(
    event: E,
    listener: EventEmitter.EventListener<Events, E>,
    context?: unknown,
  ): this {
    return this.on(event, listener, context);
  }

  override once<E extends EventEmitter.EventNames<Events>>(
    event: E,
    listener: EventEmitter.EventListener<Events, E>,
    context?: unknown,
  ): this {
    return super.once(event, this.#guard(event, listener), context);
  }

  override off<E extends EventEmitter.EventNames<Events>>(
    event: E,
    listener?: EventEmitter.EventListener<Events, E>,
    context?: unknown,
    once?: boolean,
  ): this {
    this.#checkName(event);
    if (listener !== undefined) checkListener(event, listener);
    const guard = listener && (this.#guards.get(listener) as EventEmitter.EventListener<Events, E> | undefined);
    return super.off(event, guard ?? listener, context, once);
  }

  override removeListener<E extends EventEmitter.EventNames<Events>>(
    event: E,
    listener?: EventEmitter.EventListener<Events, E>,
    context?: unknown,
    once?: boolean,
  ): this {
    return this.off(event, listener, context, once);
  }

  override listeners<E extends EventEmitter.EventNames<Events>>(event: E): EventEmitter.EventListener<Events, E>[] {
    return super
      .listeners(event)
      .map((guard) => (this.#originals.get(guard) ?? guard) as EventEmitter.EventListener<Events, E>);
  }

  #checkName(event: unknown): void {
    if (event === NODES_OWN || (typeof event === 'string' && this.#names.includes(event))) return;
    const near = typeof event === 'string' ? nearestName(this.#names, event) : undefined;
    const hint = near === undefined ? '' : `did you mean '${near}'? `;
    const allowed = this.#names.map((name) => `'${name}'`).join(', ');
    throw new ConfigError([
      { path: 'event', value: event, message: `${show(event)} is no event; ${hint}allowed: ${allowed}` },
    ]);
  }

  #guard<L extends Listener>(event: unknown, listener: L): L {
    this.#checkName(event);
    checkListener(event, listener);
    const known = this.#guards.get(listener);
    if (known) return known as L;
    let warned = false;
    const warn = (error: unknown): void => {
      if (warned) return;
      warned = true;
      warnOf(`a listener of '${String(event)}' threw`, error);
    };
    const call = listener as unknown as AnyListener;
    const guard = function (this: unknown, ...values: unknown[]): void {
      try {
        const result = call.apply(this, values);
        if (result instanceof Promise) result.catch(warn);
      } catch (error) {
        warn(error);
      }
    } as unknown as L;
    this.#guards.set(listener, guard);
    this.#originals.set(guard, listener);
    return guard;
  }
}

function checkListener(event: unknown, listener: unknown): void {
  if (typeof listener === 'function') return;
  const message = `${show(listener)} is no listener of '${String(event)}'; allowed: a function`;
  throw new ConfigError([{ path: 'listener', value: listener, message }]);
}
