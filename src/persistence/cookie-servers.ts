/** A server as a cookie sees it. */
export interface CookieTarget {
  /** It takes requests that belong to it: neither down nor in maintenance. */
  readonly acceptsPersistent: boolean;
}

/**
 * Which servers a cookie's value means, in the order in which they were declared. Finding one takes the same time however many
 * servers there are; only servers that share a value are gone through.
 */
export class CookieServers<S extends CookieTarget> {
  readonly #byValue = new Map<string, S[]>();
  readonly #values = new Map<S, string>();

  /** @returns the servers that have the same value already: HAProxy warns of them where values are dynamic */
  add(server: S, value: string): readonly S[] {
    this.remove(server);
    const sharing = this.#byValue.get(value) ?? [];
    this.#byValue.set(value, [...sharing, server]);
    this.#values.set(server, value);
    return sharing;
  }

  remove(server: S): void {
    const value = this.#values.get(server);
    if (value === undefined) return;
    this.#values.delete(server);
    const left = (this.#byValue.get(value) ?? []).filter((other) => other !== server);
    if (left.length === 0) this.#byValue.delete(value);
    else this.#byValue.set(value, left);
  }

  valueOf(server: S): string | undefined {
    return this.#values.get(server);
  }

  withValue(value: string): readonly S[] {
    return this.#byValue.get(value) ?? NOBODY;
  }
}

const NOBODY: readonly never[] = [];
