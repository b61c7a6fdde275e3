/** Told when its signal is aborted. */
export interface Abortable {
  onAbort(signal: AbortSignal): void;
}

/**
 * Who waits under which signal: one listener a signal, however many wait. Node takes a listener off in O(n), and warns of the
 * eleventh.
 */
export class AbortSignals {
  /**
   * Most signals have one who waits, and cost no set. Not a WeakMap: an entry goes with the wait, and with 100,000 of them
   * every young collection took up to half a second (Node 24).
   */
  readonly #watched = new Map<AbortSignal, Abortable | Set<Abortable>>();

  watch(signal: AbortSignal, waiting: Abortable): void {
    const known = this.#watched.get(signal);
    if (known instanceof Set) known.add(waiting);
    else if (known) this.#watched.set(signal, new Set([known, waiting]));
    else {
      this.#watched.set(signal, waiting);
      signal.addEventListener('abort', this.#onAbort);
    }
  }

  forget(signal: AbortSignal, waiting: Abortable): void {
    const known = this.#watched.get(signal);
    if (known instanceof Set) {
      if (!known.delete(waiting) || known.size > 0) return;
    } else if (known !== waiting) return;
    this.#watched.delete(signal);
    signal.removeEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = (event: Event): void => {
    const signal = event.target as AbortSignal;
    const known = this.#watched.get(signal);
    if (known instanceof Set) for (const waiting of known) waiting.onAbort(signal);
    else known?.onAbort(signal);
  };
}
