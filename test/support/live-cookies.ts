import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CookieOrigin, fieldsOf } from './cookie-origin.ts';
import {
  answeredBy,
  type CookieOutcome,
  type CookieRequest,
  type CookieScenario,
  type CookieServer,
  digested,
  expanded,
  type RecordedCookies,
  type RecordedRequest,
} from './cookie-record.ts';
import { HaproxyLog, LOG_FORMAT } from './haproxy-log.ts';
import { HaproxyProcess, RuntimeCommands, startedOrStopped } from './haproxy-process.ts';

const PATIENCE_MS = 10_000;

/**
 * A real HAProxy with a frontend and a backend for each of these scenarios, and servers that keep what they are sent, byte by
 * byte.
 */
export class LiveCookies {
  readonly #folder = mkdtempSync(join(tmpdir(), 'evenkeel-cookies-'));
  readonly #scenarios: readonly CookieScenario[];
  readonly #origin = new CookieOrigin();
  readonly #log = new HaproxyLog();
  #process: HaproxyProcess | undefined;
  #next = 0;

  private constructor(scenarios: readonly CookieScenario[]) {
    this.#scenarios = scenarios;
  }

  static start(haproxy: string, scenarios: readonly CookieScenario[]): Promise<LiveCookies> {
    const live = new LiveCookies(scenarios);
    return startedOrStopped(live, () => live.#start(haproxy));
  }

  async #start(haproxy: string): Promise<void> {
    await this.#origin.listen(this.#file('origin'));
    await this.#log.listen();
    const config = this.#file('cfg');
    writeFileSync(config, this.#config());
    this.#process = await HaproxyProcess.start(haproxy, config, this.#file('stats'));
    await this.#settle();
  }

  /** Servers are as their scenarios say. */
  async #settle(): Promise<void> {
    const commands = await RuntimeCommands.open(this.#file('stats'));
    try {
      for (const [index, { servers }] of this.#scenarios.entries())
        for (const { name, state } of servers)
          if (state === 'maint' || state === 'drain') await commands.run(`set server b${index}/${name} state ${state}`);
      const down = this.#scenarios.flatMap(({ servers }, index) =>
        servers.filter(({ state }) => state === 'down').map(({ name }) => `b${index},${name},`),
      );
      const until = Date.now() + PATIENCE_MS;
      for (;;) {
        const lines = (await commands.run('show stat -1 4 -1')).split('\n');
        if (down.every((start) => lines.some((line) => line.startsWith(start) && line.includes(',DOWN,')))) return;
        if (Date.now() > until) throw new Error('servers do not go down');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    } finally {
      commands.close();
    }
  }

  /** Plays the scenario of that number, once. */
  async record(index: number): Promise<RecordedCookies> {
    const scenario = this.#scenarios[index] as CookieScenario;
    const requests: RecordedRequest[] = [];
    let answered: string | undefined;
    for (const request of scenario.requests) {
      const expect = await this.#outcome(index, request, answered);
      requests.push({ ...request, expect });
      answered = answeredBy(expect.setCookie) ?? answered;
    }
    const servers = scenario.servers.map(({ address, ...server }) =>
      address === undefined ? server : { ...server, address: this.#origin.addressAt(address) },
    );
    return { ...scenario, servers, requests };
  }

  async #outcome(index: number, request: CookieRequest, answered: string | undefined): Promise<CookieOutcome> {
    // HAProxy's clock must not turn to the next second meanwhile. A request without a date may be late.
    const id = `r${this.#next++}`;
    const into = Date.now() % 1000;
    if (into > 700 || into < 20) await new Promise((resolve) => setTimeout(resolve, 1030 - into));
    const now = Math.floor(Date.now() / 1000);
    const { method = 'GET', cookies = [], persist = '', use = '', status = 200, answer = [] } = request;
    const seen = this.#origin.expect(
      id,
      status,
      answer.map(([name, value]) => [name, expanded(value, now)] as const),
    );
    const logged = this.#log.of(id);
    const fields = ['host: x', `x-id: ${id}`, `x-persist: ${persist}`, `x-use: ${use}`, 'connection: close'];
    if (method === 'POST') fields.push('content-length: 0');
    fields.push(...cookies.map((value) => `cookie: ${expanded(value, now, answered)}`));
    const socket = connect(this.#file(`f${index}`));
    socket.setEncoding('latin1').write(`${method} / HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`, 'latin1');
    let text = '';
    for await (const piece of socket) text += piece;
    const head = fieldsOf(text);
    const { server, redispatched, flags } = await logged;
    if (Math.floor(Date.now() / 1000) !== now) throw new Error(`${id} took longer than the second it was in`);
    const location = head.values('location')[0];
    return {
      now,
      server: seen.asked ? server : null,
      ...(redispatched && { redispatched }),
      status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]),
      cookies: seen.cookies.map(digested),
      setCookie: head.values('set-cookie').map(digested),
      cacheControl: head.values('cache-control'),
      ...(location !== undefined && { location }),
      flags,
    };
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
    await this.#origin.close();
    this.#log.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #file(name: string): string {
    return join(this.#folder, name);
  }

  #config(): string {
    const sections = this.#scenarios.map(({ cookie, backend = [], servers }, index) => [
      `frontend f${index}`,
      `  bind unix@${this.#file(`f${index}`)}`,
      '  unique-id-format %[req.hdr(x-id)]',
      `  log-format "${LOG_FORMAT}"`,
      `  default_backend b${index}`,
      `backend b${index}`,
      ...(cookie === undefined ? [] : [`  cookie ${cookie}`]),
      ...backend.map((line) => `  ${line}`),
      '  force-persist if { req.hdr(x-persist) force }',
      '  ignore-persist if { req.hdr(x-persist) ignore }',
      ...servers.map(({ name }) => `  use-server ${name} if { req.hdr(x-use) ${name} }`),
      ...servers.map((server) => `  ${this.#serverLine(server)}`),
    ]);
    return [
      'global',
      '  nbthread 1',
      '  maxconn 300',
      '  tune.bufsize 131072',
      `  stats socket ${this.#file('stats')} level admin`,
      '  stats timeout 10m',
      'defaults',
      '  mode http',
      '  balance roundrobin',
      `  log 127.0.0.1:${this.#log.port} format raw local0`,
      '  timeout connect 20ms',
      '  timeout client 10s',
      '  timeout server 10s',
      '  timeout queue 20ms',
      ...sections.flat(),
      '',
    ].join('\n');
  }

  #serverLine({ name, cookie, weight, backup, redir, state, address }: CookieServer): string {
    const gone = state === 'down' || state === 'refusing';
    const at =
      address === undefined ? `unix@${this.#file(gone ? 'nobody' : 'origin')}` : this.#origin.addressAt(address);
    const settings = [
      cookie !== undefined && `cookie ${cookie}`,
      weight !== undefined && `weight ${weight}`,
      backup && 'backup',
      redir !== undefined && `redir ${redir}`,
      state === 'down' && 'check inter 20ms fall 1',
    ];
    return ['server', name, at, ...settings.filter(Boolean)].join(' ');
  }
}
