import { warnOf } from '../core/warning.ts';
import type { PoolOutlet } from './pool-core.ts';

/** Tells of functions of the user's that failed: `sample:error`, or where nobody listens to that a warning of the process. */
export class SampleReports {
  readonly #outlet: PoolOutlet;
  readonly #poolName: string;
  readonly #reported = new Set<string>();
  readonly #warned = new Set<string>();

  constructor(outlet: PoolOutlet, poolName: string) {
    this.#outlet = outlet;
    this.#poolName = poolName;
  }

  /** The request goes on without what the function would have given. */
  readonly report = (sample: string, error: unknown): void => {
    if (this.#outlet.listens('sample:error')) this.#outlet.emit('sample:error', { sample, error });
    else this.#warn(sample, error);
  };

  /** As `report`, for what fails at every request alike. */
  readonly reportOnce = (sample: string, error: unknown): void => {
    if (this.#reported.has(sample)) return;
    this.#reported.add(sample);
    this.report(sample, error);
  };

  /** A limit that never holds, for a slip in its rule, would else go unnoticed. */
  #warn(sample: string, error: unknown): void {
    if (this.#warned.has(sample)) return;
    this.#warned.add(sample);
    warnOf(
      `${sample} of the pool '${this.#poolName}' failed, is left out, and nobody listens to 'sample:error'`,
      error,
    );
  }
}
