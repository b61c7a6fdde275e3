/** How often each request has reached a server, by number: a byte each, so that the tally's own memory stays flat. */
export class Tally {
  #runs = new Uint8Array(1 << 20);
  /** Numbers that came more than once. */
  readonly repeated: number[] = [];

  add(id: number): void {
    if (id >= this.#runs.length) {
      const larger = new Uint8Array(2 * id);
      larger.set(this.#runs);
      this.#runs = larger;
    }
    this.#runs[id] = this.of(id) + 1;
    if (this.of(id) === 2) this.repeated.push(id);
  }

  of(id: number): number {
    return this.#runs[id] ?? 0;
  }
}
