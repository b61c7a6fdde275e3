import type { StickEntry } from '#src/persistence/table.ts';

/** A rate as HAProxy's `freq_ctr` has it, line by line, in integers. */
export class NaiveRate {
  readonly #period: bigint;
  #tick: bigint | undefined;
  #current = 0n;
  #previous = 0n;

  constructor(periodMs: number) {
    this.#period = BigInt(periodMs);
  }

  /** update_freq_ctr_period */
  add(by: number, nowMs: number): void {
    const now = BigInt(nowMs);
    if (this.#tick !== undefined && now - this.#tick < this.#period) {
      this.#current += BigInt(by);
      return;
    }
    this.#previous = this.#current;
    this.#current = BigInt(by);
    this.#tick = (this.#tick ?? -(10n ** 15n)) + this.#period;
    if (now - this.#tick >= this.#period) {
      this.#previous = 0n;
      this.#tick = now;
    }
  }

  /** table_set: `set table … data.http_req_rate` */
  write(value: number, nowMs: number): void {
    [this.#tick, this.#current, this.#previous] = [BigInt(nowMs), BigInt(value), 0n];
  }

  /** read_freq_ctr_period */
  read(nowMs: number): number {
    if (this.#tick === undefined) return 0;
    let [current, past] = [this.#current, this.#previous];
    let remain = this.#tick + this.#period - BigInt(nowMs);
    if (remain < 0n) {
      remain += this.#period;
      past = remain >= 0n ? current : 0n;
      current = 0n;
    }
    if (current === 0n && past <= 1n) return Number(past);
    return Number((past * remain + current * this.#period) / this.#period);
  }
}

export interface NaiveEntry {
  readonly key: string;
  server: string | undefined;
  expiresAt: number;
  use: number;
  conn_cnt: number;
  conn_cur: number;
  http_req_cnt: number;
  http_req_rate: NaiveRate;
  gpc0: number;
}

/** A table as one would write it in a quarter of an hour: an array in the order of use, looked through each time. */
export class NaiveTable {
  readonly #size: number;
  readonly #expireMs: number;
  readonly #nopurge: boolean;
  readonly #periodMs: number;
  /** The one used longest ago first. */
  entries: NaiveEntry[] = [];
  now = 0;
  refused = 0;

  constructor(options: { size: number; expireMs: number; nopurge: boolean; periodMs: number }) {
    this.#size = options.size;
    this.#expireMs = options.expireMs;
    this.#nopurge = options.nopurge;
    this.#periodMs = options.periodMs;
  }

  expire(): void {
    this.entries = this.entries.filter((entry) => entry.use > 0 || entry.expiresAt > this.now);
  }

  find(key: string): NaiveEntry | undefined {
    this.expire();
    return this.entries.find((entry) => entry.key === key);
  }

  use(entry: NaiveEntry): void {
    this.entries = [...this.entries.filter((other) => other !== entry), entry];
    entry.expiresAt = this.now + this.#expireMs;
  }

  useOrMake(key: string): NaiveEntry | undefined {
    const entry = this.find(key) ?? this.#make(key);
    if (entry) this.use(entry);
    return entry;
  }

  remove(entry: NaiveEntry): void {
    if (entry.use === 0) this.entries = this.entries.filter((other) => other !== entry);
    else Object.assign(entry, { ...this.#blank(), conn_cur: entry.conn_cur });
  }

  #make(key: string): NaiveEntry | undefined {
    if (this.entries.length >= this.#size) {
      const oldest = this.#nopurge ? undefined : this.entries.find((entry) => entry.use === 0);
      if (oldest === undefined) {
        this.refused++;
        return undefined;
      }
      this.remove(oldest);
    }
    const entry = { key, expiresAt: 0, use: 0, ...this.#blank() };
    this.entries.push(entry);
    return entry;
  }

  #blank() {
    const http_req_rate = new NaiveRate(this.#periodMs);
    return { server: undefined, conn_cnt: 0, conn_cur: 0, http_req_cnt: 0, gpc0: 0, http_req_rate };
  }
}

/** An entry of the naive table as the real one shows it; of one in use, when it expires does not matter. */
export function shown(entry: NaiveEntry, now: number): Omit<StickEntry, 'expiresInMs'> & { expiresInMs?: number } {
  const { key, server, use, conn_cnt, conn_cur, http_req_cnt, gpc0 } = entry;
  return {
    ...{ key, use, conn_cnt, conn_cur, http_req_cnt, gpc0, http_req_rate: entry.http_req_rate.read(now) },
    ...(server === undefined ? {} : { server }),
    ...(use > 0 ? {} : { expiresInMs: entry.expiresAt - now }),
  };
}
