/** Told when its signal is aborted. */
export interface Abortable {
  onAbort(signal: AbortSignal): void;
}

/**
 * Who waits under which signal: one listener a signal, however many wait. Node takes a listener off in O(n), and warns of the
 * eleventh.
 */
export class AbortSignals {
  readonly #watched = new WeakMap<AbortSignal, Set<Abortable>>();

  watch(signal: AbortSignal, waiting: Abortable): void {
    let all = this.#watched.get(signal);
    if (!all) {
      this.#watched.set(signal, (all = new Set()));
      signal.addEventListener('abort', this.#onAbort);
    }
    all.add(waiting);
  }

  forget(signal: AbortSignal, waiting: Abortable): void {
    const all = this.#watched.get(signal);
    if (!all?.delete(waiting) || all.size > 0) return;
    this.#watched.delete(signal);
    signal.removeEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = (event: Event): void => {
    const signal = event.target as AbortSignal;
    for (const waiting of this.#watched.get(signal) ?? []) waiting.onAbort(signal);
  };
}
