/** What is needed of a client; one of `createClient` of the package `redis` has it (5 and 6 are tested). */
export interface RedisClient {
  /** It is connected, and commands go out at once. */
  readonly isReady: boolean;
  sendCommand(command: string[]): Promise<unknown>;
  /** Another client to the same server. */
  duplicate(): RedisSubscriber;
}

/** A client that listens to a channel. */
export interface RedisSubscriber {
  connect(): Promise<unknown>;
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  on(event: 'ready' | 'reconnecting' | 'end', listener: () => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  destroy(): void;
}
