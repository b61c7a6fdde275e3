import { setTimeout as delay } from 'node:timers/promises';
import type { RestlessClient } from './clients.ts';

/** The clients, of which more or fewer are busy at a time. */
export class Crowd {
  readonly #clients: readonly RestlessClient[];
  readonly #work: readonly Promise<void>[];
  #wanted = 0;
  #busy = 0;
  #over = false;
  #changed = Promise.withResolvers<void>();
  /** Most that were busy at one time. */
  most = 0;

  constructor(clients: readonly RestlessClient[]) {
    this.#clients = clients;
    this.#work = clients.map((client, index) => this.#keepBusy(client, index));
  }

  /** How many are to be busy from now on. */
  resize(wanted: number): void {
    this.#wanted = wanted;
    this.#tell();
  }

  /** Resolves once nobody is busy any more. */
  async rest(): Promise<void> {
    this.resize(0);
    while (this.#busy > 0) await delay(10);
  }

  /** All go away. */
  async leave(): Promise<void> {
    await this.rest();
    this.#over = true;
    this.#tell();
    await Promise.all(this.#work);
    for (const client of this.#clients) client.leave();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async #keepBusy(client: RestlessClient, index: number): Promise<void> {
    while (!this.#over) {
      if (index >= this.#wanted) {
        await this.#changed.promise;
        continue;
      }
      this.most = Math.max(this.most, ++this.#busy);
      try {
        await client.act();
      } finally {
        this.#busy--;
      }
      await client.pause();
    }
  }
}
