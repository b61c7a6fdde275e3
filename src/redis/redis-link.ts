import type { Environment, Timer } from '../core/environment.ts';
import { setPatientTimer } from '../core/patient-timer.ts';
import type { RedisClient } from './redis-client.ts';
import type { RedisScript } from './scripts.ts';

/** How soon a table that is gone is looked for again. */
const PROBE_MS = 250;
const NOT_CONNECTED = 'Redis is not connected';

/** What Redis says where somebody else has written to a key: the next one may be in order. */
const ABOUT_ONE_KEY = /WRONGTYPE|value is not/;

/** Is told how a link fares. */
export interface LinkListener {
  /** Redis does not answer, or does not take what it is to keep. */
  onDegraded(reason: string): void;
  /** It does again. */
  onRestored(): void;
}

export interface LinkOptions {
  readonly client: RedisClient;
  readonly environment: Environment;
  /** How long an answer may take before Redis counts as gone. */
  readonly timeoutMs: number;
  /** A key that may be written to see whether Redis takes anything. */
  readonly probeKey: string;
}

/**
 * The way to Redis: each command has its time, and once one has failed none is sent until Redis takes writes again. So a Redis
 * that is slow, gone, full or read-only costs one request at most `timeout`, and no other request anything.
 */
export class RedisLink {
  readonly #options: LinkOptions;
  readonly #listener: LinkListener;
  #degraded = false;
  #closed = false;
  #probe: Timer | undefined;

  constructor(options: LinkOptions, listener: LinkListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** Commands may be sent. */
  get usable(): boolean {
    if (this.#degraded || this.#closed) return false;
    if (this.#options.client.isReady) return true;
    this.#degrade(NOT_CONNECTED);
    return false;
  }

  /** Runs a script. @throws what Redis answers, or that it does not; the link is not usable then, but where it is about one key */
  async run(script: RedisScript, key: string, values: readonly string[]): Promise<unknown> {
    try {
      return await this.#answered(this.#evaluated(script, key, values));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (!ABOUT_ONE_KEY.test(reason)) this.#degrade(reason);
      throw error;
    }
  }

  /** A command as an operator gives it: it may take longer, and nothing follows from its failure. */
  async command(words: string[]): Promise<unknown> {
    this.#needConnection();
    return this.#options.client.sendCommand(words);
  }

  async evaluate(script: RedisScript, key: string, values: readonly string[]): Promise<unknown> {
    this.#needConnection();
    return this.#evaluated(script, key, values);
  }

  /** A client that is connecting again keeps commands until it is connected, be it for ever. */
  #needConnection(): void {
    if (!this.#options.client.isReady) throw new Error(NOT_CONNECTED);
  }

  close(): void {
    this.#closed = true;
    this.#probe?.cancel();
  }

  async #evaluated(script: RedisScript, key: string, values: readonly string[]): Promise<unknown> {
    const { client } = this.#options;
    try {
      return await client.sendCommand(['EVALSHA', script.sha, '1', key, ...values]);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return await client.sendCommand(['EVAL', script.text, '1', key, ...values]);
    }
  }

  async #answered(answer: Promise<unknown>): Promise<unknown> {
    const { environment, timeoutMs } = this.#options;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const none = (): void => reject(new Error(`no answer within ${timeoutMs} ms`));
    const timer = setPatientTimer(environment, none, timeoutMs);
    answer.catch(() => {}); // it may come when nobody waits any more
    try {
      return await Promise.race([answer, late]);
    } finally {
      timer.cancel();
    }
  }

  #degrade(reason: string): void {
    if (this.#degraded || this.#closed) return;
    this.#degraded = true;
    this.#probeLater();
    this.#listener.onDegraded(reason);
  }

  #probeLater(): void {
    this.#probe = this.#options.environment.setTimer(() => void this.#look(), PROBE_MS);
  }

  async #look(): Promise<void> {
    const { client, probeKey } = this.#options;
    try {
      this.#needConnection();
      await this.#answered(client.sendCommand(['SET', probeKey, '1', 'PX', '1000']));
    } catch {
      if (!this.#closed) this.#probeLater();
      return;
    }
    if (this.#closed) return;
    this.#degraded = false;
    this.#listener.onRestored();
  }
}
