import type { Dialer } from '../connections/dial.ts';
import type { Environment, Timer } from '../core/environment.ts';
import type { OperationalState, Server } from '../servers/server.ts';
import type { HealthCounters } from '../servers/status.ts';
import { type Cancel, type CheckCode, type CheckResult, inWords } from './health-check.ts';
import { intervalMs, probeLimitsMs, startDelaysMs } from './intervals.ts';
import { fullHealth, healthAfter, initialHealth, isUp } from './rise-fall.ts';
import type { HealthSettings } from './settings.ts';
import { SlowStart } from './slow-start.ts';

/** A change of what health says of a server. */
export interface StateChange {
  readonly from: OperationalState;
  readonly to: OperationalState;
  /** In words: `Layer4 connection problem: connection refused (L4CON) after 3 failed checks`. */
  readonly reason: string;
  /** How the check that decided it ended; `undefined` when it was no check. */
  readonly code: CheckCode | undefined;
}

/** What a monitor tells its pool. The server's facts are up to date at each call, which must not throw. */
export interface MonitorEvents {
  /** Health changed its mind. Changes that a caller asked for by `pause` or `resume` are not told. */
  onStateChange(server: Server, change: StateChange): void;
  /** A check ended. Told before the change of state that follows from it. */
  onCheck(server: Server, result: CheckResult, durationMs: number): void;
  /** Slow start changed the server's effective weight or limit. */
  onWeightChange(server: Server): void;
  /** Every server has its first verdict: see `Monitor.undecided`. */
  onDecided(): void;
}

/** How a server's checks stand. */
export interface HealthReport extends HealthCounters {
  /** The last check that ended, and how long it took. */
  readonly last: CheckResult | undefined;
  readonly lastDurationMs: number | undefined;
  /** A check is running now. */
  readonly checking: boolean;
}

/** What a monitor keeps of a server. */
class Entry {
  readonly server: Server;
  readonly settings: HealthSettings;
  health: number;
  /** Checks of one kind in a row: passed when positive, failed when negative. */
  streak = 0;
  /** It has had its first verdict, or waits for none. */
  decided = false;
  /** It is in maintenance: nothing runs. */
  paused = false;
  /** The next check. */
  timer: Timer | undefined = undefined;
  /** The running check. */
  cancel: Cancel | undefined = undefined;
  slowStart: SlowStart | undefined = undefined;
  last: CheckResult | undefined = undefined;
  lastDurationMs: number | undefined = undefined;

  constructor(server: Server, settings: HealthSettings) {
    this.server = server;
    this.settings = settings;
    this.health = initialHealth(settings.initState, settings);
  }

  /** Ends all that runs or waits to. */
  halt(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.slowStart?.cancel();
    this.slowStart = undefined;
    this.cancel?.();
    this.cancel = undefined;
  }
}

/**
 * Checks the servers of one pool, each at its own pace, and says which of them are fit. The only writer of
 * `operational` and `startedAt`. Its timers and sockets do not keep the process alive.
 */
export class Monitor {
  readonly #environment: Environment;
  readonly #dialer: Dialer;
  readonly #events: MonitorEvents;
  readonly #entries = new Map<Server, Entry>();
  #undecided = 0;
  #stopped = false;

  constructor(environment: Environment, dialer: Dialer, events: MonitorEvents) {
    this.#environment = environment;
    this.#dialer = dialer;
    this.#events = events;
  }

  /** Servers whose first check has not ended yet. One without a check, or in maintenance, waits for no verdict. */
  get undecided(): number {
    return this.#undecided;
  }

  /** Takes on the servers of a starting pool: warm, their first checks spread over time. */
  start(servers: readonly (readonly [Server, HealthSettings])[]): void {
    const delays = startDelaysMs(servers.filter(([, { check }]) => check).map(([, { interMs }]) => interMs));
    let position = 0;
    for (const [server, settings] of servers) {
      const entry = this.#enter(server, settings);
      if (settings.check) this.#schedule(entry, delays[position++] ?? 0);
    }
  }

  /** Takes on a server while the pool runs: with slow start, as one that leaves maintenance, and checked at once. */
  add(server: Server, settings: HealthSettings): void {
    const entry = this.#enter(server, settings);
    if (server.operational === 'running' && server.settings.slowstartMs > 0) this.#set(entry, 'starting');
    this.#schedule(entry, 0);
  }

  /** Forgets a server; nothing more is told of it. */
  remove(server: Server): void {
    const entry = this.#entries.get(server);
    if (!entry) return;
    entry.halt();
    this.#entries.delete(server);
    this.#decide(entry);
  }

  /** The server enters maintenance: it is down, and not checked. @see HAProxy server.c:_srv_update_status_adm */
  pause(server: Server): void {
    const entry = this.#entries.get(server);
    if (!entry || entry.paused) return;
    entry.halt();
    entry.paused = true;
    entry.health = 0;
    entry.streak = 0;
    if (server.operational !== 'stopped') this.#set(entry, 'stopped');
    this.#decide(entry);
  }

  /** The server leaves maintenance: its health is what `initState` says, and it is checked at once. */
  resume(server: Server): void {
    const entry = this.#entries.get(server);
    if (!entry?.paused) return;
    entry.paused = false;
    entry.health = initialHealth(entry.settings.initState, entry.settings);
    if (!entry.settings.check || isUp(entry.health, entry.settings)) this.#set(entry, upState(server));
    this.#schedule(entry, 0);
  }

  /**
   * An operator overrules the checks, until they say otherwise. Does nothing in maintenance.
   * @see HAProxy `set server <b>/<s> health`
   */
  setHealth(server: Server, health: 'up' | 'stopping' | 'down'): void {
    const entry = this.#entries.get(server);
    if (!entry || entry.paused) return;
    entry.health = health === 'down' ? 0 : fullHealth(entry.settings);
    entry.streak = 0;
    const to = health === 'up' ? upState(server) : health === 'down' ? 'stopped' : 'stopping';
    const from = server.operational;
    if (to === from) return;
    this.#set(entry, to);
    this.#events.onStateChange(server, { from, to, reason: 'set by an operator', code: undefined });
  }

  /** How the checks of a server stand; `undefined` for one that is not checked. */
  report(server: Server): HealthReport | undefined {
    const entry = this.#entries.get(server);
    if (!entry?.settings.check) return undefined;
    const { health, last, lastDurationMs, settings } = entry;
    const checking = entry.cancel !== undefined;
    return { health, rise: settings.rise, fall: settings.fall, last, lastDurationMs, checking };
  }

  /** Ends every check and timer, for good. The reports stay. */
  stop(): void {
    this.#stopped = true;
    for (const entry of this.#entries.values()) entry.halt();
  }

  /** The state a server is in before its first check. */
  #enter(server: Server, settings: HealthSettings): Entry {
    const entry = new Entry(server, settings);
    this.#entries.set(server, entry);
    entry.paused = server.admin === 'maint';
    if (entry.paused) entry.health = 0;
    server.operational = entry.paused || (settings.check && !isUp(entry.health, settings)) ? 'stopped' : 'running';
    entry.decided = entry.paused || !settings.check;
    if (!entry.decided) this.#undecided++;
    return entry;
  }

  #schedule(entry: Entry, delayMs: number): void {
    if (this.#stopped || entry.paused || !entry.settings.check) return;
    entry.timer = this.#environment.setTimer(() => this.#check(entry), delayMs);
  }

  #check(entry: Entry): void {
    const { server, settings } = entry;
    entry.timer = undefined;
    const startedAt = this.#environment.now();
    const interval = intervalMs(server.operational, entry.health, settings);
    const [connectMs, answerMs] = probeLimitsMs(interval, settings);
    const probe = {
      server,
      target: settings.target,
      dialer: this.#dialer,
      environment: this.#environment,
      connectMs,
      answerMs,
    };
    entry.cancel = settings.check?.run(probe, (result) => {
      entry.cancel = undefined;
      this.#finish(entry, result, this.#environment.now() - startedAt);
    });
  }

  #finish(entry: Entry, result: CheckResult, durationMs: number): void {
    const { server, settings } = entry;
    if (result.result === 'failed') {
      if (entry.health > 0) server.counters.chkfail++;
      entry.streak = Math.min(entry.streak, 0) - 1;
    } else if (result.result !== 'neutral') {
      server.counters.chkpass++;
      entry.streak = Math.max(entry.streak, 0) + 1;
    }
    entry.health = healthAfter(entry.health, result.result, settings);
    entry.last = result;
    entry.lastDurationMs = durationMs;
    const from = server.operational;
    const to = this.#stateAfter(entry, result);
    if (to !== from) this.#set(entry, to);
    this.#schedule(entry, intervalMs(to, entry.health, settings));

    if (to !== from)
      this.#events.onStateChange(server, { from, to, reason: reasonOf(result, entry.streak), code: result.code });
    // A listener may have removed the server.
    if (this.#entries.get(server) === entry) this.#events.onCheck(server, result, durationMs);
    this.#decide(entry);
  }

  #stateAfter(entry: Entry, { result }: CheckResult): OperationalState {
    const { operational } = entry.server;
    if (result === 'failed') return entry.health === 0 ? 'stopped' : operational;
    if (result === 'neutral' || !isUp(entry.health, entry.settings)) return operational;
    return result === 'conditional' ? 'stopping' : upState(entry.server);
  }

  /** Writes the state, and all that follows from it. */
  #set(entry: Entry, to: OperationalState): void {
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

  #warmUp(entry: Entry): void {
    const { server } = entry;
    if (this.#stopped) return;
    let { effectiveWeight, maxconn } = server;
    entry.slowStart = new SlowStart(this.#environment, server, (warm) => {
      if (warm) this.#set(entry, 'running');
      if (server.effectiveWeight !== effectiveWeight || server.maxconn !== maxconn) {
        ({ effectiveWeight, maxconn } = server);
        this.#events.onWeightChange(server);
      }
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

  #decide(entry: Entry): void {
    if (entry.decided) return;
    entry.decided = true;
    if (--this.#undecided === 0) this.#events.onDecided();
  }
}

/** The state of a server that has been found fit. A server that was down is warmed up first. */
function upState({ operational, settings }: Server): OperationalState {
  if (operational === 'stopped') return settings.slowstartMs > 0 ? 'starting' : 'running';
  return operational === 'starting' ? 'starting' : 'running';
}

function reasonOf(result: CheckResult, streak: number): string {
  const count = Math.abs(streak);
  return `${inWords(result)} after ${count} ${streak < 0 ? 'failed' : 'passed'} check${count === 1 ? '' : 's'}`;
}
