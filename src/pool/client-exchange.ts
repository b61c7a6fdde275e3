import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ClientSession } from '../connections/connection-pool.ts';
import type { CarriedContext, RequestContext } from '../core/context.ts';
import type { Arrival, ClientRequest, ClientResponse } from '../core/exchange.ts';
import { RequestBody } from '../forward/body-replay.ts';
import type { FieldMap } from '../http1/request-head.ts';
import type { Tracked } from '../persistence/table.ts';
import type { Leaver } from './client-sessions.ts';
import type { PoolCore } from './pool-core.ts';
import type { KeyPlan } from './pool-tables.ts';
import type { Priority } from './priority.ts';
import { isIdempotent } from './request-intake.ts';
import { NOTHING_TRACKED, RequestTracks } from './request-tracks.ts';
import type { RequestTimeouts } from './resolve-options.ts';
import type { Treatment } from './rule-treatment.ts';

/** One client's request and all that is known of it, whoever carries it: what engines, choices and rules look at. */
export abstract class ClientExchange implements RequestContext, Leaver, Treatment {
  protected readonly core: PoolCore;
  protected readonly arrival: Arrival;
  /** When it came, on the environment's clock. */
  readonly startedAt: number;

  // What an engine asks for.
  readonly clientRequest: ClientRequest;
  readonly clientResponse: ClientResponse;
  readonly method: string;
  readonly session: ClientSession | undefined;
  target: string;
  headers: FieldMap & IncomingHttpHeaders;
  body: RequestBody = RequestBody.none;
  bytesIn = 0;
  bytesOut = 0;
  attemptedAt = 0;
  connectedAt = 0;
  respondedAt = 0;
  continued = false;
  tunnelling = false;

  // What rules may change.
  timeouts: RequestTimeouts;
  priority: Priority | undefined = undefined;
  l7RetryDisabled = false;
  /** Where rules have it counted; `undefined`: nowhere. */
  protected tracks: RequestTracks | undefined = undefined;
  protected tracked: Tracked = NOTHING_TRACKED;

  constructor(core: PoolCore, request: ClientRequest, response: ClientResponse, arrival: Arrival) {
    this.core = core;
    this.arrival = arrival;
    this.startedAt = core.environment.now();
    this.clientRequest = request;
    this.clientResponse = response;
    this.method = request.method ?? 'GET';
    this.target = arrival.target;
    this.headers = request.headers;
    this.timeouts = core.options.timeouts;
    this.session = core.sessions.enter(request, response, this);
  }

  abstract onClientGone(): void;

  track(plan: KeyPlan, context: RequestContext): Tracked {
    this.tracks ??= new RequestTracks();
    this.tracked = this.tracks.begin(plan, context, this.core.tables);
    return this.tracked;
  }

  // RequestContext
  get bodyStart(): string | undefined {
    return this.core.options.balance.readsBodies ? this.body.heldText : undefined;
  }
  get url(): string {
    return this.target;
  }
  get remoteAddress(): string | undefined {
    return this.clientRequest.socket.remoteAddress;
  }
  get socket(): { readonly remoteAddress?: string | undefined } {
    return this.clientRequest.socket;
  }
  get request(): unknown {
    return this.arrival.frameworkRequest;
  }

  // What an engine seldom asks for.
  /** Who sends an `Idempotency-Key` has seen to it that a second time does no more (draft-ietf-httpapi-idempotency-key-header). */
  get idempotent(): boolean {
    if (this.l7RetryDisabled) return false;
    return this.core.options.retryNonIdempotent || isIdempotent(this.method) || !!this.headers['idempotency-key'];
  }
  get clientAddress(): string | undefined {
    return this.core.forwardedAddressOf(this);
  }
  get clientTarget(): string {
    const { originalUrl, url } = this.clientRequest as ClientRequest & { readonly originalUrl?: string };
    return originalUrl ?? url ?? this.target;
  }
  get rawHeaders(): readonly string[] {
    return this.clientRequest.rawHeaders;
  }
  get localAddress(): string | undefined {
    return this.clientRequest.socket.localAddress;
  }
  get secure(): boolean {
    return 'encrypted' in this.clientRequest.socket;
  }
  get upgrade(): string | undefined {
    return this.arrival.upgrade?.protocol;
  }
  get upgradeHead(): Buffer | undefined {
    return this.arrival.upgrade?.head;
  }
  get upgradeSocket(): Duplex | undefined {
    return this.arrival.upgrade?.socket;
  }
  get expectContinue(): boolean {
    return this.arrival.expectContinue && !this.continued;
  }

  /** What rules are given: a plain object, so that it can be spread and kept. */
  get context(): CarriedContext {
    const { method, url, headers, socket, remoteAddress, request } = this;
    return { method, url, headers, socket, remoteAddress, request };
  }
}
