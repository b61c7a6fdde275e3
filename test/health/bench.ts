import assert from 'node:assert/strict';
import { Dialer } from '#src/connections/dial.ts';
import { agentResult, parseAgentReply } from '#src/health/agent-reply.ts';
import type { CheckResult, HealthCheck, Probe } from '#src/health/health-check.ts';
import { Monitor } from '#src/health/monitor.ts';
import type { MonitorEvents, MonitorSettings } from '#src/health/monitor-events.ts';
import type { HealthSettings } from '#src/health/settings.ts';
import { parseAddress } from '#src/servers/address.ts';
import { Server } from '#src/servers/server.ts';
import { serverSettings } from '../support/make-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const target = { address: parseAddress('127.0.0.1:1') ?? assert.fail(), tls: undefined };

/** A check that ends when, and as, a test says. */
export class ManualCheck implements HealthCheck {
  readonly asksAgent: boolean;
  readonly beganAt: number[] = [];
  #end: ((result: CheckResult) => void) | undefined = undefined;

  constructor(asksAgent: boolean = false) {
    this.asksAgent = asksAgent;
  }

  get running(): boolean {
    return this.#end !== undefined;
  }

  run({ environment }: Probe, onResult: (result: CheckResult) => void): () => void {
    assert.equal(this.running, false, 'a check never overlaps itself');
    this.beganAt.push(environment.now());
    this.#end = onResult;
    return () => {
      this.#end = undefined;
    };
  }

  end(result: CheckResult): void {
    const end = this.#end;
    assert.ok(end, 'the check runs');
    this.#end = undefined;
    end(result);
  }

  /** As an agent. */
  say(line: string): void {
    this.end(agentResult(parseAgentReply(line)));
  }
}

export const PASS: CheckResult = { result: 'passed', code: 'L7OK', status: 200, description: '' };
export const FAIL: CheckResult = { result: 'failed', code: 'L4CON', description: 'connection refused' };
export const NEUTRAL: CheckResult = { result: 'neutral', code: 'CHECKED', description: '' };
export const CONDITIONAL: CheckResult = { result: 'conditional', code: 'L7OKC', description: '' };
export const NOT_FOUND: CheckResult = { result: 'failed', code: 'L7STS', status: 404, description: 'status 404' };

interface ServerGiven extends Partial<HealthSettings> {
  readonly name?: string;
  readonly weight?: number;
  readonly maxconn?: number;
  readonly slowstartMs?: number;
  readonly tracks?: Server;
  readonly disabled?: boolean;
}

/** One monitor on a virtual clock, with checks by hand; what it told, in words. */
export class ManualBench {
  readonly clock: VirtualClock = new VirtualClock();
  readonly told: string[] = [];
  readonly monitor: Monitor;
  /** What the pool says to an agent's weight. */
  refusal: string | undefined = undefined;
  /** Hears of a weight that an agent has set. */
  onWeight: ((server: Server) => void) | undefined = undefined;
  #id = 0;

  constructor(settings: Partial<MonitorSettings> = {}) {
    const events: MonitorEvents = {
      onStateChange: (server, { from, to, reason }) => this.told.push(`${server.name} ${from} > ${to}: ${reason}`),
      onAdminChange: (server, { from, to, reason }) => this.told.push(`${server.name} ${from} >> ${to}: ${reason}`),
      onCheck: (server, { code, description }, _ms, byAgent) =>
        this.told.push(`${server.name}${byAgent ? ' agent' : ''} ${code}${description ? `: ${description}` : ''}`),
      onWeightChange: () => {},
      onAgentWeight: (server, weight) => {
        if (this.refusal === undefined) {
          server.weight = weight;
          this.onWeight?.(server);
        }
        return this.refusal;
      },
      onAgentMaxconn: (server, maxconn) => {
        server.limits = { maxconn, minconn: maxconn };
      },
      onFunctionFault: () => {},
      onDecided: () => this.told.push('decided'),
    };
    const all = { name: 'api', spreadChecks: 0, maxSpreadChecksMs: Number.POSITIVE_INFINITY, ...settings };
    this.monitor = new Monitor(all, this.clock, new Dialer(this.clock), events);
  }

  /** A server of this monitor's, which has yet to be told of it. */
  server(given: ServerGiven = {}): readonly [Server, HealthSettings] {
    const id = ++this.#id;
    const { name = `s${id}`, weight = 1, maxconn = 0, slowstartMs = 0, tracks, disabled = false, ...more } = given;
    const server = new Server(id, name, target.address, serverSettings({ weight, maxconn, slowstartMs }));
    server.tracks = tracks;
    if (disabled) server.admin = 'maint';
    return [server, healthSettings(more)];
  }

  add(given: ServerGiven = {}): Server {
    const row = this.server(given);
    this.monitor.add(...row);
    return row[0];
  }

  /** What was told since the last time. */
  heard(): string[] {
    return this.told.splice(0);
  }
}

/** A pool's defaults, without a check, but for what is given. */
export function healthSettings(more: Partial<HealthSettings>): HealthSettings {
  return {
    check: undefined,
    interMs: 2000,
    fastinterMs: 2000,
    downinterMs: 2000,
    rise: 2,
    fall: 3,
    initState: 'none',
    observe: 'none',
    errorLimit: 10,
    onError: 'fail-check',
    agent: undefined,
    disableOn404: false,
    timeoutCheckMs: undefined,
    timeoutConnectMs: 5000,
    target,
    ...more,
  };
}
