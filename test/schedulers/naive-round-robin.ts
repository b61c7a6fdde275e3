import type { RequestContext } from '#src/core/context.ts';
import type { Scheduler } from '#src/schedulers/scheduler.ts';
import type { ServerView } from '#src/servers/server.ts';

interface Row {
  readonly server: ServerView;
  weight: number;
  position: number;
  remainder: number;
  tree: 'current' | 'initial' | 'next' | 'none';
  key: number;
  arrival: number;
}

/** HAProxy's rules of `roundrobin` over one flat list, every step a walk over all of it. */
export class NaiveRoundRobin implements Scheduler {
  readonly #rows: Row[] = [];
  #used = false;
  #position = 0;
  #roundWeight = 0;
  #arrivals = 0;

  add(server: ServerView): void {
    let row = this.#rowOf(server);
    if (row === undefined) {
      row = { server, weight: 0, position: 0, remainder: 0, tree: 'none', key: 0, arrival: 0 };
      this.#rows.push(row);
    }
    row.weight = server.effectiveWeight;
    if (this.#used) this.#comesUp(row);
    else {
      this.#roundWeight = this.#position = this.#total;
      this.#put(row, 'initial', 4096 - row.weight);
    }
  }

  remove(server: ServerView): void {
    this.#used = true;
    const row = this.#rowOf(server);
    if (row === undefined) return;
    row.weight = 0;
    row.tree = 'none';
  }

  reweigh(server: ServerView): void {
    const row = this.#rowOf(server);
    if (row === undefined || row.weight === 0 || row.weight === server.effectiveWeight) return;
    this.#used = true;
    row.weight = server.effectiveWeight;
    this.#comesUp(row);
  }

  pick(_context: RequestContext, avoid: ServerView | undefined): ServerView | undefined {
    this.#used = true;
    if (this.#total === 0) return undefined;
    const passedOver: Row[] = [];
    let switched = false;
    let chosen: Row | undefined;
    while (chosen === undefined) {
      const row = this.#candidate();
      if (row === undefined) {
        if (switched) break;
        switched = true;
        for (const each of this.#rows) if (each.tree === 'next') each.tree = 'initial';
        this.#roundWeight = this.#position = this.#total;
        continue;
      }
      if (row.tree === 'initial') {
        row.position = this.#position;
        row.remainder = 0;
      }
      row.position += Math.floor(this.#total / row.weight);
      row.remainder += this.#total % row.weight;
      if (row.remainder >= row.weight) {
        row.remainder -= row.weight;
        row.position++;
      }
      row.tree = 'none';
      this.#position++;
      if (row.server.saturated || row.server === avoid) passedOver.unshift(row);
      else chosen = row;
    }
    chosen ??= passedOver.find((row) => row.server === avoid && !row.server.saturated);
    if (chosen !== undefined) this.#queue(chosen);
    for (const row of passedOver) {
      if (row === chosen) continue;
      if (switched) this.#put(row, 'initial', 4096 - row.weight);
      else this.#queue(row);
    }
    return chosen?.server;
  }

  get #total(): number {
    return this.#rows.reduce((sum, row) => sum + row.weight, 0);
  }

  #rowOf(server: ServerView): Row | undefined {
    return this.#rows.find((row) => row.server === server);
  }

  #candidate(): Row | undefined {
    const current = this.#head('current');
    if (current !== undefined && current.position <= this.#position) return current;
    return this.#head('initial') ?? current;
  }

  #head(tree: Row['tree']): Row | undefined {
    const rows = this.#rows.filter((row) => row.tree === tree);
    return rows.sort((a, b) => a.key - b.key || a.arrival - b.arrival)[0];
  }

  #comesUp(row: Row): void {
    row.position = this.#position + Math.trunc((this.#total + this.#roundWeight - this.#position) / row.weight);
    this.#queue(row);
  }

  #queue(row: Row): void {
    if (row.position >= 2 * this.#roundWeight || row.position >= this.#roundWeight + this.#total) {
      row.position -= this.#roundWeight;
      this.#put(row, 'next', 4096 - row.weight);
    } else {
      this.#put(row, 'current', 256 * row.position + Math.floor((4096 + row.remainder - row.weight) / 16));
    }
  }

  #put(row: Row, tree: Row['tree'], key: number): void {
    row.tree = tree;
    row.key = key;
    row.arrival = this.#arrivals++;
  }
}
