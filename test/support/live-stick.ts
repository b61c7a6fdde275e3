import { mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer, type NetConnectOpts } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HaproxyLog } from './haproxy-log.ts';
import { HaproxyProcess, RuntimeCommands, startedOrStopped } from './haproxy-process.ts';
import { type Names, readTable, stickConfig } from './haproxy-stick.ts';
import { StickOrigin } from './stick-origin.ts';
import {
  type RecordedStep,
  type RecordedStick,
  type RecordedTable,
  type ServerState,
  type StickScenario,
  type StickServer,
  serverNames,
} from './stick-record.ts';
import { type StickProxy, StickRun } from './stick-run.ts';

/** Milliseconds between steps: what HAProxy dates in one millisecond it holds for used at one time. */
const APART_MS = 2;

/** A real HAProxy with two frontends and backends for each of these scenarios, and servers that answer as they are told. */
export class LiveStick {
  readonly #folder = mkdtempSync(join(tmpdir(), 'evenkeel-stick-'));
  readonly #scenarios: readonly StickScenario[];
  readonly #origin = new StickOrigin();
  readonly #log = new HaproxyLog();
  #ports: readonly number[] = [];
  #process: HaproxyProcess | undefined;
  #commands: RuntimeCommands | undefined;

  private constructor(scenarios: readonly StickScenario[]) {
    this.#scenarios = scenarios;
  }

  static start(haproxy: string, scenarios: readonly StickScenario[]): Promise<LiveStick> {
    const live = new LiveStick(scenarios);
    return startedOrStopped(live, () => live.#start(haproxy));
  }

  async #start(haproxy: string): Promise<void> {
    await this.#origin.listen(this.#file('origin'));
    await this.#log.listen();
    this.#ports = await freePorts(this.#scenarios.length);
    const config = this.#file('cfg');
    const sections = this.#scenarios.flatMap((scenario, index) => stickConfig(scenario, this.#names(index)));
    writeFileSync(config, [...this.#head(), ...sections, ''].join('\n'));
    this.#process = await HaproxyProcess.start(haproxy, config, this.#file('stats'));
    this.#commands = await RuntimeCommands.open(this.#file('stats'));
  }

  /** Plays the scenario of that number, once. */
  async record(index: number): Promise<RecordedStick> {
    const scenario = this.#scenarios[index] as StickScenario;
    for (const name of serverNames(scenario)) symlinkSync(this.#file('origin'), this.#names(index).socketOf(name));
    const run = new StickRun(scenario, this.#proxy(index), this.#origin, `s${index}`);
    const steps: RecordedStep[] = [];
    const began = performance.now();
    for (const step of scenario.steps) {
      await new Promise((resolve) => setTimeout(resolve, 'wait' in step ? step.wait : APART_MS));
      const at = Math.round(performance.now() - began);
      steps.push({ ...step, expect: { at, ...(await run.play(step)) } });
    }
    return { ...scenario, steps };
  }

  async stop(): Promise<void> {
    this.#commands?.close();
    await this.#process?.stop();
    await this.#origin.close();
    this.#log.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #file(name: string): string {
    return join(this.#folder, name);
  }

  #names(index: number): Names {
    return {
      backend: (which) => `b${index}_${which}`,
      table: (name) => (name === '' ? `b${index}_0` : `t${index}_${name}`),
      door: (which) => this.#file(`f${index}_${which}`),
      port: this.#ports[index] as number,
      socketOf: (server) => this.#file(`s${index}_${server}`),
    };
  }

  #proxy(index: number): StickProxy {
    return new HaproxyStick(
      this.#scenarios[index] as StickScenario,
      this.#names(index),
      this.#commands as RuntimeCommands,
      this.#log,
      this.#file('origin'),
    );
  }

  #head(): string[] {
    return [
      'global',
      '  nbthread 1',
      '  maxconn 300',
      `  stats socket ${this.#file('stats')} level admin`,
      '  stats timeout 10m',
      'defaults',
      '  mode http',
      '  balance roundrobin',
      `  log 127.0.0.1:${this.#log.port} format raw local0`,
      '  timeout client 10s',
      '  timeout server 10s',
      '  timeout tarpit 20ms',
    ];
  }
}

/** One scenario's part of it. */
class HaproxyStick implements StickProxy {
  readonly #scenario: StickScenario;
  readonly #names: Names;
  readonly #commands: RuntimeCommands;
  readonly #log: HaproxyLog;
  readonly #origin: string;

  constructor(scenario: StickScenario, names: Names, commands: RuntimeCommands, log: HaproxyLog, origin: string) {
    this.#scenario = scenario;
    this.#names = names;
    this.#commands = commands;
    this.#log = log;
    this.#origin = origin;
  }

  door(backend: 0 | 1, byTcp: boolean): NetConnectOpts {
    return byTcp ? { port: this.#names.port, host: '127.0.0.1' } : { path: this.#names.door(backend) };
  }

  async ended(id: string): Promise<string | undefined> {
    const { server } = await this.#log.of(id);
    return server === '<NOSRV>' ? undefined : server;
  }

  async setServer({ name }: StickServer, { is, weight }: { is?: ServerState; weight?: number }): Promise<void> {
    const which = this.#scenario.servers.some((server) => server.name === name) ? 0 : 1;
    const server = `set server ${this.#names.backend(which)}/${name}`;
    if (weight !== undefined) await this.#expectSilence(`${server} weight ${weight}`);
    if (is === 'up' || is === 'down') await this.#expectSilence(`${server} health ${is}`);
    else if (is === 'refusing') unlinkSync(this.#names.socketOf(name));
    else if (is === 'listening') symlinkSync(this.#origin, this.#names.socketOf(name));
    else if (is !== undefined) await this.#expectSilence(`${server} state ${is}`);
  }

  async operate(step: Parameters<StickProxy['operate']>[0]): Promise<void> {
    const table = this.#names.table(step.table ?? '');
    if ('set' in step) {
      const data = Object.entries(step.data).map(([name, value]) => `data.${name} ${value}`);
      const id = this.#scenario.servers.findIndex(({ name }) => name === step.sticksTo) + 1;
      if (step.sticksTo !== undefined) data.push(`data.server_id ${id}`);
      await this.#expectSilence(`set table ${table} key ${step.set} ${data.join(' ')}`);
    } else if ('clear' in step) await this.#commands.run(`clear table ${table} key ${step.clear}`);
    else if (step.clearAll === null) await this.#commands.run(`clear table ${table}`);
    else {
      const [datum, op, value] = step.clearAll;
      await this.#commands.run(`clear table ${table} data.${datum} ${op} ${value}`);
    }
  }

  async show({ show: [datum, op, value], table = '' }: Parameters<StickProxy['show']>[0]): Promise<readonly string[]> {
    const text = await this.#commands.run(`show table ${this.#names.table(table)} data.${datum} ${op} ${value}`);
    return Object.keys(readTable(text, this.#scenario.servers));
  }

  async tables(): Promise<Readonly<Record<string, RecordedTable>>> {
    const tables: Record<string, RecordedTable> = {};
    for (const name of Object.keys(this.#scenario.tables))
      tables[name] = readTable(
        await this.#commands.run(`show table ${this.#names.table(name)}`),
        this.#scenario.servers,
      );
    return tables;
  }

  async #expectSilence(command: string): Promise<void> {
    const answer = await this.#commands.run(command);
    if (answer !== '') throw new Error(`${command}: ${answer}`);
  }
}

/** Ports that were free a moment ago: HAProxy cannot say which one it was given. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<typeof server>((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
