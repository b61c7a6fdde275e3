import { EventEmitter } from 'eventemitter3';

type Listener = (...values: never[]) => unknown;
type AnyListener = (this: unknown, ...values: unknown[]) => unknown;

/** An emitter whose listeners cannot hurt it: what one throws, or rejects with, is caught and warned of once a listener. */
export class GuardedEmitter<Events extends EventEmitter.ValidEventTypes> extends EventEmitter<Events> {
  /** Listener to guard, and guard to listener. */
  readonly #guards = new WeakMap<object, Listener>();
  readonly #originals = new WeakMap<object, Listener>();

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

  #guard<L extends Listener>(event: unknown, listener: L): L {
    const known = this.#guards.get(listener);
    if (known) return known as L;
    let warned = false;
    const warn = (error: unknown): void => {
      if (warned) return;
      warned = true;
      const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
      process.emitWarning(`a listener of '${String(event)}' threw: ${what}`, 'EvenkeelWarning');
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
