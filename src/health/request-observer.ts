import type { OptionReader } from '../core/options.ts';
import type { RequestObserver } from '../servers/server.ts';

/** Which outcomes of requests count: of connections, or of responses too. HAProxy: `observe`. */
export type Observe = 'none' | 'layer4' | 'layer7';

/** What errors of requests lead to. HAProxy: `on-error`. */
export type OnError = 'fastinter' | 'fail-check' | 'sudden-death' | 'mark-down';

/** How requests count as evidence of a server's health. */
export interface ObserveSettings {
  readonly observe: Observe;
  /** Errors in a row that lead to `onError`. */
  readonly errorLimit: number;
  readonly onError: OnError;
}

export function readObserveSettings(read: OptionReader): ObserveSettings {
  return {
    observe: read.oneOf('observe', ['none', 'layer4', 'layer7'], { default: 'none' }),
    errorLimit: read.integer('errorLimit', { default: 10, min: 1 }),
    onError: read.oneOf('onError', ['fastinter', 'fail-check', 'sudden-death', 'mark-down'], { default: 'fail-check' }),
  };
}

/**
 * Counts the errors in a row that requests meet at one server.
 * @see HAProxy check.c:__health_adjust, analyze_statuses
 */
export class ErrorCounter implements RequestObserver {
  readonly #settings: ObserveSettings;
  readonly #onLimit: (errors: number, last: string) => void;
  #errors = 0;

  /** @param onLimit `errorLimit` is reached; the count begins anew */
  constructor(settings: ObserveSettings, onLimit: (errors: number, last: string) => void) {
    this.#settings = settings;
    this.#onLimit = onLimit;
  }

  get #seesResponses(): boolean {
    return this.#settings.observe === 'layer7';
  }

  /** The server has shown itself fit in some other way. */
  forget(): void {
    this.#errors = 0;
  }

  connectionFailed(): void {
    this.#failed('no connection');
  }

  responded(status: number): void {
    if (!this.#seesResponses || isGood(status)) this.forget();
    else this.#failed(`status ${status}`);
  }

  noResponse(counts: boolean): void {
    if (!this.#seesResponses) this.forget();
    else if (counts) this.#failed('no valid response');
  }

  worked(ok: boolean): void {
    if (ok) this.forget();
    else this.#failed('a lease released as failed');
  }

  #failed(what: string): void {
    if (++this.#errors < this.#settings.errorLimit) return;
    const errors = this.#errors;
    this.forget();
    this.#onLimit(errors, what);
  }
}

/** 501 and 505 are about the request. @see HAProxy http_ana.c:http_wait_for_response */
function isGood(status: number): boolean {
  return status < 500 || status === 501 || status === 505;
}
