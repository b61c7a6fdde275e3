import type { Dialer } from '../connections/dial.ts';
import type { Environment } from '../core/environment.ts';
import type { AdminState, OperationalState, Server } from '../servers/server.ts';
import { type HealthFacts, serverStatus } from '../servers/status.ts';
import { agentResult, weightOf } from './agent-reply.ts';
import type { CheckLoop } from './check-loop.ts';
import type { CheckCode, CheckResult } from './health-check.ts';
import { startDelaysMs } from './intervals.ts';
import type { CheckReport, MonitorEvents, MonitorSettings } from './monitor-events.ts';
import { MonitoredServer } from './monitored-server.ts';
import { fullHealth, initialHealth } from './rise-fall.ts';
import type { HealthSettings } from './settings.ts';
import { SlowStart } from './slow-start.ts';
import { afterResult, followed, isIn404, reasonOf, upState } from './transitions.ts';

/**
 * Checks the servers of one pool, each at its own pace, and says which of them are fit. The only writer of `operational`,
 * `startedAt` and of commands. Its timers and sockets do not keep the process alive.
 */
export class Monitor {
  readonly #settings: MonitorSettings;
  readonly #environment: Environment;
  readonly #dialer: Dialer;
  readonly #events: MonitorEvents;
  readonly #entries = new Map<Server, MonitoredServer>();
  #undecided = 0;
  #stopped = false;

  constructor(settings: MonitorSettings, environment: Environment, dialer: Dialer, events: MonitorEvents) {
    this.#settings = settings;
    this.#environment = environment;
    this.#dialer = dialer;
    this.#events = events;
  }

  /** Servers whose first check, or first question to their agent, has not ended yet. One without a check, or in maintenance, waits for no verdict. */
  get undecided(): number {
    return this.#undecided;
  }

  /** Their names. */
  get undecidedNames(): readonly string[] {
    return [...this.#entries.values()].filter(({ awaited }) => awaited.size > 0).map(({ server }) => server.name);
  }

  /** Takes on the servers of a starting pool: warm, their first checks spread over time. Those tracked come first. */
  start(servers: readonly (readonly [Server, HealthSettings])[]): void {
    const entries = servers.map(([server, settings]) => this.#enter(server, settings));
    const chained = entries
      .map((entry) => ({ entry, length: chainOf(entry.server) }))
      .filter(({ length }) => length > 0);
    for (const { entry } of chained.sort((one, other) => one.length - other.length)) this.#seat(entry);
    const loops = entries.flatMap((entry) => entry.loops.filter((loop) => entry.mayRun(loop)));
    const delays = startDelaysMs(
      loops.map(({ plan }) => plan.intervals.interMs),
      this.#settings.maxSpreadChecksMs,
    );
    for (const [position, loop] of loops.entries()) loop.schedule(delays[position] ?? 0);
  }

  /** Takes on a server while the pool runs: with slow start, as one that leaves maintenance, and checked at once. */
  add(server: Server, settings: HealthSettings): void {
    const entry = this.#enter(server, settings);
    this.#seat(entry);
    if (server.operational === 'running' && server.settings.slowstartMs > 0) this.#set(entry, 'starting');
    for (const loop of entry.loops) this.#schedule(entry, loop, 0);
  }

  /** Forgets a server; nothing more is told of it. */
  remove(server: Server): void {
    const entry = this.#entries.get(server);
    if (!entry) return;
    entry.halt();
    server.observer = undefined;
    this.#entries.delete(server);
    if (server.tracks) this.#entries.get(server.tracks)?.trackers.delete(entry);
    this.#decide(entry);
  }

  /**
   * An operator's command: maintenance takes the server down and stops its checks, except for its agent; who leaves it has
   * the health that `initState` says, and is checked at once. What tracks it follows.
   * @see HAProxy `set server <b>/<s> state`, server.c:srv_set_admin_flag
   */
  setAdmin(server: Server, to: AdminState, reason: string = 'set by an operator'): void {
    const entry = this.#entries.get(server);
    if (!entry || server.admin === to) return;
    const from = server.standing;
    server.admin = to;
    this.#onCommand(entry, from, reason);
  }

  /**
   * An operator overrules the checks, until they say otherwise. Does nothing in maintenance, nor to a server that tracks
   * another one.
   * @see HAProxy `set server <b>/<s> health`
   */
  setHealth(server: Server, health: 'up' | 'stopping' | 'down'): void {
    const entry = this.#entries.get(server);
    if (!entry || server.standing === 'maint' || server.tracks) return;
    entry.check.reset(health === 'down' ? 0 : fullHealth(entry.settings));
    const to = health === 'up' ? upState(server) : health === 'down' ? 'stopped' : 'stopping';
    this.#change(entry, to, 'set by an operator', undefined);
  }

  /** How a server's check, or its agent, stands; `undefined` for one that has none. */
  report(server: Server, which: 'check' | 'agent' = 'check'): CheckReport | undefined {
    const loop = this.#entries.get(server)?.[which];
    return loop?.enabled ? loop : undefined;
  }

  /** Its state in HAProxy's words. */
  status(server: Server): string {
    const facts = this.#entries.get(endOfChain(server))?.facts ?? UNKNOWN;
    return serverStatus(server, facts, this.#settings.name);
  }

  /** Ends every check and timer, for good. The reports stay. */
  stop(): void {
    this.#stopped = true;
    for (const entry of this.#entries.values()) entry.halt();
  }

  /** The state a server is in before its first check. */
  #enter(server: Server, settings: HealthSettings): MonitoredServer {
    const spreadPercent = this.#settings.spreadChecks;
    const report = (sample: string, error: unknown): void => this.#events.onFunctionFault(sample, error);
    const parts = { environment: this.#environment, dialer: this.#dialer, spreadPercent, report };
    const entry: MonitoredServer = new MonitoredServer(server, settings, parts, {
      onResult: (loop, result, durationMs) => this.#finish(entry, loop, result, durationMs),
      onErrors: (errors, last) => this.#onErrors(entry, errors, last),
    });
    this.#entries.set(server, entry);
    const isDown = server.standing === 'maint' || !entry.mayStartUp;
    server.operational = isDown ? 'stopped' : 'running';
    if (server.standing === 'maint') entry.check.reset(0);
    if (server.standing !== 'maint') for (const loop of entry.loops) if (loop.enabled) entry.awaited.add(loop);
    if (entry.awaited.size > 0) this.#undecided++;
    return entry;
  }

  /** A server that tracks another one begins as that is. */
  #seat(entry: MonitoredServer): void {
    const { server } = entry;
    const target = server.tracks && this.#entries.get(server.tracks);
    if (!target) return;
    target.trackers.add(entry);
    server.inheritedMaint = target.server.standing === 'maint';
    server.inheritedDrain = target.server.draining;
    const { operational } = target.server;
    server.operational = server.standing === 'maint' ? 'stopped' : operational === 'starting' ? 'running' : operational;
  }

  #schedule(entry: MonitoredServer, loop: CheckLoop, delayMs?: number): void {
    if (!entry.mayRun(loop) || !this.#watches(entry)) return;
    if (delayMs === undefined) loop.scheduleNext();
    else loop.schedule(delayMs);
  }

  /** Neither has a listener removed the server, nor closed the pool. */
  #watches(entry: MonitoredServer): boolean {
    return !this.#stopped && this.#entries.get(entry.server) === entry;
  }

  #finish(entry: MonitoredServer, loop: CheckLoop, found: CheckResult, durationMs: number): void {
    const result = found.reply ? this.#obey(entry, found) : isIn404(entry, found) ? asConditional(found) : found;
    if (!this.#watches(entry)) return;
    if (entry.mayRun(loop)) this.#count(entry, loop, result, durationMs, () => this.#schedule(entry, loop));
    this.#decide(entry, loop);
  }

  /** Does what an agent says, but for its word of health. @see HAProxy tcpcheck.c:tcpcheck_agent_expect_reply */
  #obey(entry: MonitoredServer, result: CheckResult): CheckResult {
    const { server } = entry;
    const { reply } = result;
    if (!reply) return result;
    let { warning } = reply;
    if (reply.admin) this.setAdmin(server, reply.admin, `its agent says ${reply.admin}`);
    if (!this.#watches(entry)) return result;
    if (reply.weight) {
      const weight = weightOf(reply.weight, server.declaredWeight);
      const refusal = this.#events.onAgentWeight(server, weight);
      if (refusal !== undefined) warning ??= `the weight ${weight} is refused; ${refusal}`;
    }
    if (reply.maxconn !== undefined && this.#watches(entry)) this.#events.onAgentMaxconn(server, reply.maxconn);
    return agentResult(reply, warning);
  }

  /** A result, and all that follows from it. @param schedule comes between the facts and whoever listens */
  #count(entry: MonitoredServer, loop: CheckLoop, result: CheckResult, durationMs: number, schedule: () => void): void {
    const { server } = entry;
    loop.count(result, durationMs);
    if (result.result === 'passed' || result.result === 'conditional') entry.errors?.forget();
    const to = afterResult(entry, loop, result);
    if (to === server.operational) schedule();
    else this.#change(entry, to, reasonOf(result, loop), result.code, schedule);
    // A listener may have removed the server.
    if (this.#entries.get(server) === entry) this.#events.onCheck(server, result, durationMs, loop.plan.agent);
  }

  /** Requests have met as many errors in a row as they may. @see HAProxy check.c:__health_adjust */
  #onErrors(entry: MonitoredServer, errors: number, last: string): void {
    if (!this.#watches(entry)) return;
    const { server, settings, check } = entry;
    server.counters.hanafail++;
    const hurry = (): void => check.hurry();
    if (settings.onError === 'fastinter') hurry();
    else {
      if (settings.onError === 'mark-down') check.health = settings.rise;
      if (settings.onError === 'sudden-death') check.health = Math.min(check.health, settings.rise + 1);
      const description =
        errors === 1 ? `a request failed: ${last}` : `${errors} requests in a row failed, the last: ${last}`;
      this.#count(entry, check, { result: 'failed', code: 'HANA', description }, 0, hurry);
    }
  }

  /**
   * Goes over to a state, tells of it, and takes along what tracks the server.
   * @param before is done between the change and whoever hears of it
   */
  #change(
    entry: MonitoredServer,
    to: OperationalState,
    reason: string,
    code: CheckCode | undefined,
    before?: () => void,
  ): void {
    if (this.#goOver(entry, to, reason, code, before))
      takeAlong(entry, (tracker, target) => {
        if (!this.#watches(tracker) || tracker.server.standing === 'maint') return false;
        return this.#goOver(tracker, followed(target, tracker.server), reason, code);
      });
  }

  /** Returns whether it was in another state before. */
  #goOver(
    entry: MonitoredServer,
    to: OperationalState,
    reason: string,
    code: CheckCode | undefined,
    before?: () => void,
  ): boolean {
    const { server } = entry;
    const from = server.operational;
    if (to !== from) this.#set(entry, to);
    before?.();
    if (to === from) return false;
    this.#events.onStateChange(server, { from, to, reason: because(server, reason), code });
    return true;
  }

  /** What is wanted of a server may have changed, and of what tracks it. @param from what held before */
  #onCommand(entry: MonitoredServer, from: AdminState, reason: string): void {
    // Of a command of its own the server knows who has given it.
    this.#stand(entry, from, reason);
    takeAlong(entry, (tracker, target) => {
      const { server } = tracker;
      if (this.#entries.get(server) !== tracker) return false;
      const before = server.standing;
      const isIn = target.standing === 'maint';
      if (server.inheritedMaint === isIn && server.inheritedDrain === target.draining) return false;
      server.inheritedMaint = isIn;
      server.inheritedDrain = target.draining;
      this.#stand(tracker, before, because(server, reason));
      return true;
    });
  }

  /** Does what is wanted of a server now. @param from what was before */
  #stand(entry: MonitoredServer, from: AdminState, reason: string): void {
    const { server } = entry;
    const to = server.standing;
    if (to === from) return;
    if (to === 'maint') this.#pause(entry);
    else if (from === 'maint') this.#resume(entry);
    server.recalculate(this.#environment.now());
    this.#events.onAdminChange(server, { from, to, reason });
  }

  /** @see HAProxy server.c:_srv_update_status_adm */
  #pause(entry: MonitoredServer): void {
    entry.pause();
    if (entry.server.operational !== 'stopped') this.#set(entry, 'stopped');
    this.#decide(entry);
  }

  #resume(entry: MonitoredServer): void {
    const { server, settings, check } = entry;
    check.reset(initialHealth(settings.initState, settings));
    const target = server.tracks;
    const isUp = target ? target.operational !== 'stopped' : entry.mayStartUp && entry.consents;
    if (isUp) this.#set(entry, target ? followed(target, server) : upState(server));
    this.#schedule(entry, check, 0);
  }

  /** Writes the state, and all that follows from it. */
  #set(entry: MonitoredServer, to: OperationalState): void {
    const { server } = entry;
    const now = this.#environment.now();
    if (to === 'stopped' && server.operational !== 'stopped') server.counters.chkdown++;
    server.operational = to;
    server.startedAt = to === 'starting' ? now : undefined;
    server.recalculate(now);
    entry.slowStart?.cancel();
    entry.slowStart = undefined;
    if (to === 'starting') this.#warmUp(entry);
  }

  #warmUp(entry: MonitoredServer): void {
    const { server } = entry;
    if (this.#stopped) return;
    entry.slowStart = new SlowStart(this.#environment, server, (warm) => {
      // As the pool knows them: an operator may have changed them since the last step.
      const { effectiveWeight, maxconn } = server;
      if (warm) this.#set(entry, 'running');
      else server.recalculate(this.#environment.now());
      if (server.effectiveWeight !== effectiveWeight || server.maxconn !== maxconn) this.#events.onWeightChange(server);
      // A listener may have removed the server, or put it into maintenance.
      if (warm && this.#entries.get(server) === entry && server.operational === 'running')
        this.#events.onStateChange(server, {
          from: 'starting',
          to: 'running',
          reason: 'slow start is over',
          code: undefined,
        });
    });
  }

  /** @param loop has ended for the first time; none: there is nothing to wait for */
  #decide(entry: MonitoredServer, loop?: CheckLoop): void {
    if (entry.awaited.size === 0) return;
    if (loop) entry.awaited.delete(loop);
    else entry.awaited.clear();
    if (entry.awaited.size === 0 && --this.#undecided === 0) this.#events.onDecided();
  }
}

/** Nothing is kept of a server that was removed, but somebody may still hold it. */
const UNKNOWN: HealthFacts = {
  operational: 'stopped',
  check: { health: 0, rise: 1, fall: 1 },
  checked: false,
  agentHealth: undefined,
};

/** How many servers lie between it and the end of its chain. */
function chainOf(server: Server): number {
  let length = 0;
  for (let next = server.tracks; next; next = next.tracks) length++;
  return length;
}

function endOfChain(server: Server): Server {
  let end = server;
  while (end.tracks) end = end.tracks;
  return end;
}

/**
 * Goes through all that track a server, and what tracks these, those first that come first: a loop, for chains may be long.
 * @param follow does as its target does, and returns whether there is something for others to follow
 */
function takeAlong(entry: MonitoredServer, follow: (tracker: MonitoredServer, target: Server) => boolean): void {
  const left = [...entry.trackers].reverse();
  for (let tracker = left.pop(); tracker; tracker = left.pop()) {
    const { tracks } = tracker.server;
    if (tracks && follow(tracker, tracks)) for (const next of [...tracker.trackers].reverse()) left.push(next);
  }
}

/** Why a server that tracks another one does as that does. */
function because({ tracks }: Server, reason: string): string {
  return tracks ? `it tracks ${tracks.name}: ${reason}` : reason;
}

function asConditional(result: CheckResult): CheckResult {
  return { ...result, result: 'conditional', code: 'L7OKC', description: 'status 404, no new requests' };
}
