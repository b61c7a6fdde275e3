/** Stands for no server. */
export const NO_SERVER = 0;

/**
 * Servers by number, so that an entry keeps four bytes of its own for one. A name is remembered as long as an entry refers to
 * it: those of servers that are gone do not pile up.
 */
export class ServerNames {
  readonly #ids = new Map<string, number>();
  readonly #names: (string | undefined)[] = [undefined];
  readonly #references: number[] = [0];
  readonly #free: number[] = [];

  /** How many names are remembered. */
  get size(): number {
    return this.#ids.size;
  }

  name(id: number): string | undefined {
    return this.#names[id];
  }

  /** The number of a name, for one entry more. */
  take(name: string): number {
    let id = this.#ids.get(name);
    if (id === undefined) {
      id = this.#free.pop() ?? this.#names.length;
      this.#ids.set(name, id);
      this.#names[id] = name;
      this.#references[id] = 0;
    }
    this.#references[id] = (this.#references[id] as number) + 1;
    return id;
  }

  /** One entry less. */
  give(id: number): void {
    if (id === NO_SERVER) return;
    const left = (this.#references[id] as number) - 1;
    this.#references[id] = left;
    if (left > 0) return;
    this.#ids.delete(this.#names[id] as string);
    this.#names[id] = undefined;
    this.#free.push(id);
  }
}
