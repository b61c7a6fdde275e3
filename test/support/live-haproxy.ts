import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, isIPv6 } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HaproxyProcess, RuntimeCommands, startedOrStopped } from './haproxy-process.ts';
import type { RecordedScenario, RecordedServer, RecordedStep } from './pick-player.ts';

/** A scenario that no HAProxy has played yet. */
export interface Scenario extends Omit<RecordedScenario, 'steps'> {
  readonly steps: readonly Step[];
}

export type Step = Unplayed<RecordedStep>;
type Unplayed<T> = T extends unknown ? Omit<T, 'expect'> : never;
type Request = Extract<Step, { op: 'req' }>;

/** How long HAProxy lets a request wait for a server; none gets free meanwhile, so that any time will do. */
const QUEUE_MS = 3;
const PATIENCE_MS = 10_000;

/**
 * A real HAProxy of one thread, with a frontend and a backend for each of these scenarios. All its sockets are files in a
 * folder of its own: clients say in the PROXY protocol where they come from, and all servers are one, which is told by a field
 * as whom it is asked.
 */
export class LiveHaproxy {
  readonly #folder = mkdtempSync(join(tmpdir(), 'evenkeel-haproxy-'));
  readonly #origin = new Origin();
  readonly #scenarios: readonly Scenario[];
  #process: HaproxyProcess | undefined;

  private constructor(scenarios: readonly Scenario[]) {
    this.#scenarios = scenarios;
  }

  static start(haproxy: string, scenarios: readonly Scenario[]): Promise<LiveHaproxy> {
    const live = new LiveHaproxy(scenarios);
    return startedOrStopped(live, () => live.#start(haproxy));
  }

  async #start(haproxy: string): Promise<void> {
    const config = this.#file('cfg');
    writeFileSync(config, this.#config());
    await this.#origin.listen(this.#file('origin'));
    this.#process = await HaproxyProcess.start(haproxy, config, this.#file('stats'));
  }

  /** Plays the scenario of that number, once, and writes down which servers HAProxy chose. */
  async record(index: number): Promise<RecordedScenario> {
    const scenario = this.#scenarios[index] as Scenario;
    const commands = await RuntimeCommands.open(this.#file('stats'));
    const held = new Map<string, Promise<Answer>>();
    const steps: RecordedStep[] = [];
    try {
      for (const step of scenario.steps) {
        if (step.op === 'cmd') {
          const said = await commands.run(step.cmd.replace(' be/', ` b${index}/`));
          if (said !== '') throw new Error(`'${step.cmd}': HAProxy says ${said}`);
          steps.push(step);
        } else if (step.op === 'release') {
          this.#origin.release(`${index}/${step.id}`);
          await held.get(step.id);
          held.delete(step.id);
          steps.push(step);
        } else {
          const heldAs = step.hold ? `${index}/${step.id}` : undefined;
          const taken = heldAs === undefined ? undefined : this.#origin.holds(heldAs);
          const answer = ask(this.#file(`f${index}`), step, heldAs);
          const { status, server } = await (taken ? Promise.race([taken, answer]) : answer);
          if (status === undefined) held.set(step.id, answer);
          else if (status !== (server === undefined ? 503 : 200))
            throw new Error(`HAProxy answers ${status} to ${JSON.stringify(step)}`);
          steps.push({ ...step, expect: server ?? { status: 503 } });
        }
        await this.#settled(commands, index, held.size);
      }
    } finally {
      commands.close();
      for (const id of held.keys()) this.#origin.release(`${index}/${id}`);
      await Promise.allSettled(held.values());
    }
    return { ...scenario, steps };
  }

  /** HAProxy has done with all requests but those held: a client has its answer before the slot of its server is free. */
  async #settled(commands: RuntimeCommands, index: number, held: number): Promise<void> {
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      const [names = '', values = ''] = (await commands.run(`show stat b${index} 2 -1`)).split('\n');
      const current = values.split(',')[names.split(',').indexOf('scur')];
      if (current === String(held)) return;
      if (Date.now() > until) throw new Error(`HAProxy still has ${current} requests, and ${held} are held`);
    }
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
    await this.#origin.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #file(name: string): string {
    return join(this.#folder, name);
  }

  #config(): string {
    const sections = this.#scenarios.map(({ backend, servers }, index) => [
      `frontend f${index}`,
      `  bind unix@${this.#file(`f${index}`)} accept-proxy`,
      `  default_backend b${index}`,
      `backend b${index}`,
      ...backend.map((line) => `  ${line}`),
      ...servers.map((server) => `  ${this.#serverLine(server)}`),
    ]);
    return [
      'global',
      '  nbthread 1',
      '  maxconn 300',
      `  stats socket ${this.#file('stats')} level admin`,
      '  stats timeout 10m',
      'defaults',
      '  mode http',
      '  timeout connect 10s',
      '  timeout client 10m',
      '  timeout server 10m',
      `  timeout queue ${QUEUE_MS}ms`,
      '  http-reuse always',
      '  http-send-name-header x-asked-as',
      ...sections.flat(),
      '',
    ].join('\n');
  }

  #serverLine({ name, id, weight, backup, maxconn, disabled }: RecordedServer): string {
    const settings = [
      id !== undefined && `id ${id}`,
      weight !== undefined && `weight ${weight}`,
      maxconn !== undefined && `maxconn ${maxconn}`,
      backup && 'backup',
      disabled && 'disabled',
    ];
    return ['server', name, `unix@${this.#file('origin')}`, ...settings.filter(Boolean)].join(' ');
  }
}

/** Every server: says as whom it was asked, at once or when it is let. */
class Origin {
  readonly #server: Server;
  readonly #held = new Map<string, ServerResponse>();
  readonly #waiting = new Map<string, (answer: Answer) => void>();

  constructor() {
    this.#server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
      const { 'x-asked-as': server, 'x-held-as': id } = request.headers;
      response.setHeader('x-server', String(server)).setHeader('content-length', 0);
      if (typeof id !== 'string' || id === '') {
        response.end();
        return;
      }
      this.#held.set(id, response);
      this.#waiting.get(id)?.({ status: undefined, server: String(server) });
      this.#waiting.delete(id);
    });
  }

  async listen(file: string): Promise<void> {
    this.#server.listen(file);
    await once(this.#server, 'listening');
  }

  /** The server that holds the request of that id, as soon as one does. */
  holds(id: string): Promise<Answer> {
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  release(id: string): void {
    this.#waiting.delete(id);
    this.#held.get(id)?.end();
    this.#held.delete(id);
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

interface Answer {
  /** `undefined`: it is yet to come. */
  readonly status: number | undefined;
  /** The server that gives it. */
  readonly server: string | undefined;
}

/** Sends a request as it stands, on a connection of its own; not with Node's client, which mends some. */
async function ask(file: string, request: Request, heldAs: string | undefined): Promise<Answer> {
  const { method = 'GET', path = '/', headers, from: address = '127.0.0.1' } = request;
  // Always one behind those asked for: HAProxy 2.6 and 3.5 look at the byte behind the value that is hashed
  // (backend.c:get_server_hh), and behind the last value lies what was there before.
  const fields = { host: 'x', ...headers, 'x-held-as': heldAs ?? '', connection: 'close' };
  const head = [
    isIPv6(address) ? `PROXY TCP6 ${address} ::1 1 80` : `PROXY TCP4 ${address} 127.0.0.1 1 80`,
    `${method} ${path} HTTP/1.1`,
    ...Object.entries(fields).map(([name, value]) => `${name}:${value}`),
    ...(method === 'POST' ? ['content-length:0'] : []),
  ];
  const socket = connect(file);
  socket.setEncoding('latin1').write(`${head.join('\r\n')}\r\n\r\n`, 'latin1');
  let text = '';
  for await (const piece of socket) text += piece;
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
  return { status, server: /^x-server: (.*)\r$/m.exec(text)?.[1] };
}
