/** A request that a server was given. */
export interface Served {
  readonly at: number;
  readonly key: number;
  readonly server: string;
  /** How long its answer took. */
  readonly ms: number;
  readonly ok: boolean;
  /** Requests that the server had then, this one with them. */
  readonly load: number;
}

/** A part of the time, and one server or all. */
export interface Part {
  readonly from?: number;
  readonly to?: number;
  readonly server?: string;
}

/** What has become of a simulated traffic. */
export class Traffic {
  readonly servers: readonly string[];
  readonly forMs: number;
  readonly served: readonly Served[];
  /** When requests came for which there was no server. */
  readonly refusedAt: readonly number[];

  constructor(servers: readonly string[], forMs: number, served: readonly Served[], refusedAt: readonly number[]) {
    this.servers = servers;
    this.forMs = forMs;
    this.served = served;
    this.refusedAt = refusedAt;
  }

  /** Share of all requests that no server was given. */
  get refused(): number {
    return this.refusedAt.length / (this.refusedAt.length + this.of({}).length);
  }

  /** The same without its beginning: time 0 is then. Requests that were in progress then have a time below 0. */
  after(ms: number): Traffic {
    const rest = this.served.filter(({ at, ms: took }) => at + took > ms);
    const shifted = rest.map((request) => ({ ...request, at: request.at - ms }));
    const refusedAt = this.refusedAt.filter((at) => at >= ms).map((at) => at - ms);
    return new Traffic(this.servers, this.forMs - ms, shifted, refusedAt);
  }

  /** Requests that were given in that part. */
  of({ from = 0, to = Number.POSITIVE_INFINITY, server }: Part): readonly Served[] {
    return this.served.filter(
      (request) => request.at >= from && request.at < to && (server === undefined || request.server === server),
    );
  }

  /** What of all requests the server got. */
  share(server: string, part: Part = {}): number {
    return this.of({ ...part, server }).length / this.of(part).length;
  }

  /** How long all but so many percent of answers took at most: `percentile(99)`. */
  percentile(percent: number, part: Part = {}): number {
    const sorted = Float64Array.from(this.of(part), ({ ms }) => ms).sort();
    return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? 0;
  }

  /** Share of requests that failed. */
  failures(part: Part = {}): number {
    const requests = this.of(part);
    return requests.filter(({ ok }) => !ok).length / requests.length;
  }

  /** Most requests that one server had at one time. */
  peak(part: Part = {}): number {
    return this.of(part).reduce((most, { load }) => Math.max(most, load), 0);
  }

  /** Requests that the server was given in each step. */
  counts(server: string, stepMs: number): number[] {
    const counts: number[] = new Array(Math.ceil(this.forMs / stepMs)).fill(0);
    for (const { at } of this.of({ server }))
      counts[Math.floor(at / stepMs)] = (counts[Math.floor(at / stepMs)] ?? 0) + 1;
    return counts;
  }

  /** Requests that the server had, on average over each step. */
  loads(server: string, stepMs: number): number[] {
    const loads: number[] = new Array(Math.ceil(this.forMs / stepMs)).fill(0);
    for (const { at, ms } of this.of({ from: Number.NEGATIVE_INFINITY, server })) {
      for (let step = Math.max(0, Math.floor(at / stepMs)); step < loads.length && step * stepMs < at + ms; step++) {
        const overlap = Math.min(at + ms, (step + 1) * stepMs) - Math.max(at, step * stepMs);
        loads[step] = (loads[step] ?? 0) + overlap / stepMs;
      }
    }
    return loads;
  }

  /** The server that each key went to last. */
  homes(part: Part = {}): Map<number, string> {
    return new Map(this.of(part).map(({ key, server }) => [key, server]));
  }
}
