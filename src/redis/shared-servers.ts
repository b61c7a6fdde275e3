import { LRUCache } from 'lru-cache';
import type { Environment } from '../core/environment.ts';
import { readServer } from './answers.ts';
import type { RedisLink } from './redis-link.ts';
import { LOOK_UP, STORE, TOUCH } from './scripts.ts';

/** The server that a choice takes the place of; `null`: of any. */
type Base = string | undefined | null;

/** What this process knows of an entry. */
interface Known {
  server: string;
  /** Of which change; 0: Redis has not said. */
  version: number;
  /** During which uninterrupted subscription it was known to be so. */
  epoch: number;
  expiresAt: number;
  /** When Redis was last told that it is used. */
  touchedAt: number;
  /** The server that Redis had, as far as is known, when another one was chosen that it has not been told of. */
  unsent: { readonly base: Base } | undefined;
}

export interface SharedServersOptions {
  readonly link: RedisLink;
  readonly environment: Environment;
  readonly size: number;
  /** `Infinity`: never. */
  readonly expireMs: number;
  readonly channel: string;
  /** The key in Redis of an entry. */
  readonly keyOf: (key: string) => string;
}

/** Stores that were put off are sent in pieces of this many. */
const SENT_AT_ONCE = 200;
/** Redis is told of a use at most this often within the time that an entry lives. */
const TOUCHES = 8;
/** The news that an entry has no server. */
const NOBODY = '';

/**
 * Which server each key sticks to, in this process and in Redis. What is known here is trusted while news of changes come in;
 * else Redis is asked, once for all who ask meanwhile. What is chosen here Redis is told, where of two choices the first counts.
 * While Redis is gone only what is known here counts, and it is told what was chosen once it is back.
 */
export class SharedServers {
  readonly #options: SharedServersOptions;
  readonly #known: LRUCache<string, Known>;
  readonly #asked = new Map<string, Promise<string | undefined>>();
  /** Of keys that are asked for, the version of a removal that there was news of meanwhile. */
  readonly #removed = new Map<string, number>();
  readonly #unsent = new Set<string>();
  readonly #sending = new Map<string, Promise<void>>();
  #epoch = 1;
  #subscribed = false;

  constructor(options: SharedServersOptions) {
    this.#options = options;
    this.#known = new LRUCache<string, Known>({
      maxSize: options.size,
      sizeCalculation: () => 1,
      dispose: (_known, key, reason) => {
        if (reason === 'evict') this.#unsent.delete(key);
      },
    });
  }

  /** News of changes come in. */
  get isSubscribed(): boolean {
    return this.#subscribed;
  }

  /** Choices that Redis has not been told of. */
  get unsent(): number {
    return this.#unsent.size;
  }

  /** The server of a key, as this process knows it. */
  recall(key: string): string | undefined {
    return this.#alive(key)?.server;
  }

  lookup(key: string): string | undefined | Promise<string | undefined> {
    const known = this.#alive(key);
    if (known) known.expiresAt = this.#now + this.#options.expireMs;
    if (!this.#options.link.usable) return known?.server;
    if (known?.unsent) return this.#outcome(key) ?? known.server;
    if (known && this.#isCurrent(known)) {
      this.#touch(key, known);
      return known.server;
    }
    return this.#asked.get(key) ?? this.#ask(key);
  }

  /** What Redis has, whatever is known here. */
  async ask(key: string): Promise<string | undefined> {
    const known = this.#alive(key);
    if (!this.#options.link.usable || known?.unsent) return known?.server;
    return this.#asked.get(key) ?? this.#ask(key);
  }

  /**
   * As `store`, for who waits until Redis has said which server counts.
   * @returns that server; `undefined`: it is this one as far as can be known
   */
  claim(key: string, server: string, base: string | undefined): Promise<string | undefined> | undefined {
    if (!this.#options.link.usable) return undefined;
    const known = this.#alive(key);
    const isSettled = known !== undefined && !known.unsent && this.#isCurrent(known);
    if (isSettled && known.server !== base) return known.server === server ? undefined : Promise.resolve(known.server);
    // What was chosen for another request of this key is under way: see what comes of it.
    if (!this.#sending.has(key)) this.store(key, server, base);
    return this.#outcome(key);
  }

  /** @param base the server that whoever has chosen this one knew of; `null`: it takes the place of any */
  store(key: string, server: string, base: Base): void {
    const expiresAt = this.#now + this.#options.expireMs;
    const known = this.#alive(key);
    if (known?.server === server && !known.unsent && this.#isCurrent(known)) {
      known.expiresAt = expiresAt;
      this.#touch(key, known);
      return;
    }
    const { version = 0, epoch = 0 } = known ?? {};
    const chosen = { server, version, epoch, expiresAt, touchedAt: this.#now, unsent: undefined };
    this.#known.set(key, chosen);
    this.#tell(key, chosen, base === null ? null : known?.unsent ? known.unsent.base : (known?.server ?? base));
  }

  /** Has Redis told of a server, in place of the one that it has as far as is known. */
  #tell(key: string, known: Known, base?: Base): void {
    known.unsent = { base };
    this.#unsent.add(key);
    if (this.#options.link.usable && !this.#sending.has(key)) void this.#send(key);
  }

  /** News: `version` made this the server of a key; `''` removed it. */
  heard(key: string, server: string, version: number): void {
    const known = this.#alive(key);
    // Whoever asks meanwhile may be given an older answer.
    if (!known && !this.#asked.has(key)) return;
    if (known && this.#isCurrent(known) && known.version >= version) return;
    if (server !== NOBODY) this.#note(key, server, version);
    else {
      this.forget(key);
      if (this.#asked.has(key)) this.#removed.set(key, version);
    }
  }

  /** News come in from now on, or do not any more. What was known before has to be asked for. */
  subscribed(isSubscribed: boolean): void {
    this.#subscribed = isSubscribed;
    if (isSubscribed) this.#epoch++;
  }

  /** Redis is back: news may have been missed, and it has to be told what was chosen. */
  async restored(): Promise<void> {
    this.#epoch++;
    const { link } = this.#options;
    const waiting = [...this.#unsent].filter((key) => !this.#sending.has(key));
    for (let sent = 0; sent < waiting.length && link.usable; sent += SENT_AT_ONCE)
      await Promise.all(waiting.slice(sent, sent + SENT_AT_ONCE).map((key) => this.#send(key)));
  }

  forget(key: string): void {
    this.#known.delete(key);
    this.#unsent.delete(key);
  }

  get #now(): number {
    return this.#options.environment.now();
  }

  get #ttl(): string {
    const { expireMs } = this.#options;
    return expireMs === Number.POSITIVE_INFINITY ? '0' : String(Math.ceil(expireMs));
  }

  #isCurrent({ epoch }: Known): boolean {
    return this.#subscribed && epoch === this.#epoch;
  }

  #alive(key: string): Known | undefined {
    const known = this.#known.get(key);
    if (!known || known.expiresAt > this.#now) return known;
    this.forget(key);
    return undefined;
  }

  /** What comes of a choice that Redis is being told of. */
  #outcome(key: string): Promise<string | undefined> | undefined {
    return this.#sending.get(key)?.then(() => this.recall(key));
  }

  #note(key: string, server: string, version: number): void {
    const expiresAt = this.#now + this.#options.expireMs;
    this.#unsent.delete(key);
    const epoch = this.#epoch;
    this.#known.set(key, { server, version, epoch, expiresAt, touchedAt: this.#now, unsent: undefined });
  }

  #ask(key: string): Promise<string | undefined> {
    const { link, keyOf } = this.#options;
    const epoch = this.#epoch;
    const asked = link
      .run(LOOK_UP, keyOf(key), [this.#ttl])
      .then((answer) => this.#found(key, answer, epoch))
      .catch(() => this.recall(key))
      .finally(() => {
        this.#asked.delete(key);
        this.#removed.delete(key);
      });
    this.#asked.set(key, asked);
    return asked;
  }

  /** Redis has answered. @param epoch when it was asked */
  #found(key: string, answer: unknown, epoch: number): string | undefined {
    const { server, version } = readServer(answer);
    const known = this.#alive(key);
    if (known?.unsent) return known.server;
    if (server === undefined || server === NOBODY) {
      // It has lost the entry, or never had it; what is known here is as good as anything.
      if (known && !this.#isCurrent(known)) this.store(key, known.server, undefined);
      return known?.server;
    }
    if (known && this.#isCurrent(known) && known.version >= version) return known.server;
    if (version <= (this.#removed.get(key) ?? 0)) return known?.server;
    this.#note(key, server, version);
    if (epoch !== this.#epoch) (this.#known.peek(key) as Known).epoch = epoch; // news may have been missed since
    return server;
  }

  /** Tells Redis what was chosen, until it knows the last of it. Never rejects. */
  async #send(key: string): Promise<void> {
    const { link, keyOf, channel } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#sending.set(key, promise);
    try {
      for (let known = this.#known.peek(key); known?.unsent; known = this.#known.peek(key)) {
        const { server, unsent } = known;
        const epoch = this.#epoch;
        const values = [this.#ttl, server, unsent.base ?? '', channel, key, unsent.base === null ? 'any' : ''];
        const { server: winner = server, version } = readServer(await link.run(STORE, keyOf(key), values));
        const now = this.#known.peek(key);
        if (now === known) {
          this.#note(key, winner, version);
          (this.#known.peek(key) as Known).epoch = epoch; // news may have been missed since
        } else if (now?.unsent && now.unsent.base !== null) now.unsent = { base: winner }; // another one was chosen meanwhile
      }
      this.#unsent.delete(key);
    } catch {
      // It is sent once Redis is back.
    } finally {
      this.#sending.delete(key);
      resolve();
    }
  }

  #touch(key: string, known: Known): void {
    const { link, keyOf, expireMs } = this.#options;
    if (this.#now - known.touchedAt < expireMs / TOUCHES) return;
    known.touchedAt = this.#now;
    link.run(TOUCH, keyOf(key), [this.#ttl]).then(
      (found) => {
        // It has expired there a little sooner than here, or was evicted: nobody else would know of it any more.
        if (Number(found) === 0 && this.#known.peek(key) === known && !known.unsent) this.#tell(key, known);
      },
      () => {},
    );
  }
}
