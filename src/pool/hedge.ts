import type { Duplex } from 'node:stream';
import type { ClientSession } from '../connections/connection-pool.ts';
import type { ClientRequest, ClientResponse } from '../core/exchange.ts';
import type { Outcome, Sent } from '../core/outcome.ts';
import type { RequestBody } from '../forward/body-replay.ts';
import type { Attempt, ExchangeTimeouts, HttpExchange, MutableHead, OutcomeSink } from '../forward/forwarder.ts';
import type { FieldMap } from '../http1/request-head.ts';
import type { BackendServer } from './backend-server.ts';

/** What a hedge is told to. */
export interface HedgeOwner {
  /** Whether a response of this status is not the one to wait for. */
  outlives(status: number): boolean;
  /** The hedge has a response's head, the first of all attempts. */
  onWon(hedge: Hedge): void;
  /** It ended without one. */
  onLost(hedge: Hedge, outcome: Outcome): void;
}

/**
 * A second attempt beside the first: the same exchange for its engine, but with times of its own. Once it has taken the first
 * one's place, it is that: its times and its outcome are the request's.
 */
export class Hedge implements HttpExchange, OutcomeSink {
  readonly server: BackendServer;
  attemptedAt: number;
  /** `undefined` before it has begun. */
  attempt: Attempt | undefined = undefined;
  /** It has taken the place of the first attempt. */
  adopted = false;
  respondedAt = 0;
  readonly #request: HttpExchange & OutcomeSink;
  readonly #owner: HedgeOwner;
  #connectedAt = 0;

  constructor(request: HttpExchange & OutcomeSink, owner: HedgeOwner, server: BackendServer, now: number) {
    this.#request = request;
    this.#owner = owner;
    this.server = server;
    this.attemptedAt = now;
  }

  /** While another attempt is under way, a response that is as good as none loses to whatever that brings. */
  repeatsAfter(status: number, sent: Sent): boolean {
    return this.adopted ? this.#request.repeatsAfter(status, sent) : this.#owner.outlives(status);
  }

  onResponse(head: MutableHead): Outcome | undefined {
    this.#owner.onWon(this);
    this.#request.respondedAt = this.respondedAt;
    return this.#request.onResponse(head);
  }

  onOutcome(outcome: Outcome): void {
    if (this.adopted) this.#request.onOutcome(outcome);
    else this.#owner.onLost(this, outcome);
  }

  get connectedAt(): number {
    return this.#connectedAt;
  }
  set connectedAt(at: number) {
    this.#connectedAt = at;
    if (this.adopted) this.#request.connectedAt = at;
  }

  // What all attempts of a request share

  get clientRequest(): ClientRequest {
    return this.#request.clientRequest;
  }
  get clientResponse(): ClientResponse {
    return this.#request.clientResponse;
  }
  get body(): RequestBody {
    return this.#request.body;
  }
  get idempotent(): boolean {
    return this.#request.idempotent;
  }
  get session(): ClientSession | undefined {
    return this.#request.session;
  }
  get timeouts(): ExchangeTimeouts {
    return this.#request.timeouts;
  }
  get method(): string {
    return this.#request.method;
  }
  get target(): string {
    return this.#request.target;
  }
  get headers(): FieldMap {
    return this.#request.headers;
  }
  get rawHeaders(): readonly string[] {
    return this.#request.rawHeaders;
  }
  get clientAddress(): string | undefined {
    return this.#request.clientAddress;
  }
  get localAddress(): string | undefined {
    return this.#request.localAddress;
  }
  get secure(): boolean {
    return this.#request.secure;
  }
  get bytesIn(): number {
    return this.#request.bytesIn;
  }
  set bytesIn(bytes: number) {
    this.#request.bytesIn = bytes;
  }
  get bytesOut(): number {
    return this.#request.bytesOut;
  }
  set bytesOut(bytes: number) {
    this.#request.bytesOut = bytes;
  }

  // What is never hedged: upgrades, and bodies that wait for a 100

  get upgrade(): string | undefined {
    return this.#request.upgrade;
  }
  get upgradeHead(): Buffer | undefined {
    return this.#request.upgradeHead;
  }
  get upgradeSocket(): Duplex | undefined {
    return this.#request.upgradeSocket;
  }
  get expectContinue(): boolean {
    return this.#request.expectContinue;
  }
  get continued(): boolean {
    return this.#request.continued;
  }
  set continued(continued: boolean) {
    this.#request.continued = continued;
  }
  get tunnelling(): boolean {
    return this.#request.tunnelling;
  }
  set tunnelling(tunnelling: boolean) {
    this.#request.tunnelling = tunnelling;
  }
}
