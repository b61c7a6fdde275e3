/**
 * Two processes with one Redis under load, while servers fail and come back: every client keeps one server across both, and
 * leaves it only when that is down.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { KeepAliveClient } from '../support/keep-alive-client.ts';
import { type LiveRedis, withRedis } from '../support/live-redis.ts';
import { Origin, ok, response } from '../support/origin.ts';
import { sharedNow } from '../support/shared-clock.ts';
import { until } from '../support/until.ts';
import { seededRandom } from '../support/virtual-clock.ts';
import type { FleetNews, FleetSetup } from './two-processes.child.ts';

const WORKER = fileURLToPath(new URL('./two-processes.child.ts', import.meta.url));

/** Whether a server was down at a time, as far as anybody knew. */
class Downtimes {
  readonly #times: { readonly from: number; to: number }[] = [];
  readonly #believers = new Set<unknown>();

  /** @param believer who takes it for down, or for up, from now on */
  note(believer: unknown, isUp: boolean, at: number): void {
    const wasUp = this.#believers.size === 0;
    if (isUp) this.#believers.delete(believer);
    else this.#believers.add(believer);
    const last = this.#times.at(-1);
    if (wasUp && !isUp) this.#times.push({ from: at, to: Number.POSITIVE_INFINITY });
    else if (!wasUp && this.#believers.size === 0 && last) last.to = at;
  }

  between(from: number, to: number): boolean {
    return this.#times.some((time) => time.from <= to && time.to >= from);
  }
}

/** A server that says its name. */
class NamedServer {
  readonly name: string;
  readonly downtimes: Downtimes = new Downtimes();
  readonly #path: string;
  #origin: Origin | undefined;
  #sick = false;

  constructor(name: string, path: string) {
    this.name = name;
    this.#path = path;
  }

  get address(): string {
    return `unix:${this.#path}`;
  }

  async start(): Promise<void> {
    this.#sick = false;
    this.#origin ??= await Origin.start(
      async (request) => {
        if (request.target === '/health') await request.reply(this.#sick ? response(503) : ok());
        else setTimeout(() => request.reply(ok(this.name)), 1); // so that some are under way when it dies
      },
      { path: this.#path },
    );
  }

  /** Cuts what is under way, and refuses connections. */
  async die(): Promise<void> {
    await this.#origin?.stop();
    this.#origin = undefined;
  }

  /** Answers requests as before, but says that it is not to be used. */
  async sicken(): Promise<void> {
    this.#sick = true;
  }
}

/** One of the processes that share a table. */
class Worker {
  readonly #child: ChildProcess;
  readonly #down = new Set<string>();
  readonly troubles: string[] = [];
  port = 0;

  constructor(setup: FleetSetup, servers: readonly NamedServer[]) {
    const conditions = process.execArgv.filter((argument) => /^--(conditions|disable-warning)/.test(argument));
    this.#child = fork(WORKER, [JSON.stringify(setup)], { execArgv: conditions });
    this.#child.on('exit', (code) => this.troubles.push(`the process ended with ${code}`));
    this.#child.on('message', (news: FleetNews) => {
      if (news.kind === 'ready') this.port = news.port;
      else if (news.kind === 'degraded') this.troubles.push(`degraded: ${news.reason}`);
      else {
        servers.find(({ name }) => name === news.name)?.downtimes.note(this, news.up, news.at);
        if (news.up) this.#down.delete(news.name);
        else this.#down.add(news.name);
      }
    });
  }

  async started(): Promise<void> {
    await until(() => this.port > 0 || this.troubles.length > 0, 'a process to start');
    assert.deepEqual(this.troubles, []);
  }

  sees(server: NamedServer): 'up' | 'down' {
    return this.#down.has(server.name) ? 'down' : 'up';
  }

  end(): void {
    this.#child.removeAllListeners('exit');
    this.#child.kill();
  }
}

interface Answer {
  readonly server: string;
  /** When it had come. */
  readonly at: number;
}

/** Asks all processes at the same moment, then one thing after another, now of this process, now of that. */
class Client {
  readonly name: string;
  /** In turn; the first of all processes came at the same moment. */
  readonly answers: Answer[] = [];
  readonly failures: string[] = [];
  asked = 0;
  readonly #lines: readonly KeepAliveClient[];

  constructor(name: string, workers: readonly Worker[]) {
    this.name = name;
    this.#lines = workers.map(({ port }) => new KeepAliveClient(port));
  }

  async run(random: () => number, goesOn: () => boolean): Promise<void> {
    this.answers.push(...(await Promise.all(this.#lines.map((line) => this.#ask(line)))));
    while (goesOn()) {
      const line = this.#lines[Math.floor(random() * this.#lines.length)] as KeepAliveClient;
      this.answers.push(await this.#ask(line));
    }
    for (const line of this.#lines) line.leave();
  }

  async #ask(line: KeepAliveClient): Promise<Answer> {
    this.asked++;
    const { status, fault, body } = await line.ask(`GET / HTTP/1.1\r\nHost: fleet\r\nX-Client: ${this.name}\r\n\r\n`);
    if (status !== 200) this.failures.push(`${this.name}: ${fault ?? status}`);
    return { server: body, at: sharedNow() };
  }
}

interface Verdict {
  /** Times that a client has left a server that was down. */
  readonly moves: number;
  /** Times that one has left a server that was not. */
  readonly violations: readonly string[];
}

function judge(clients: readonly Client[], servers: readonly NamedServer[]): Verdict {
  const wasDown = (server: string, from: Answer, to: Answer): boolean =>
    servers.find(({ name }) => name === server)?.downtimes.between(from.at, to.at) ?? false;
  let moves = 0;
  const violations: string[] = [];
  for (const { name, answers } of clients)
    for (const [index, answer] of answers.entries()) {
      const before = answers[index - 1];
      if (!before || before.server === answer.server) continue;
      if (wasDown(before.server, before, answer)) moves++;
      else {
        const course = answers.slice(Math.max(0, index - 2), index + 3).map(({ server }) => server);
        violations.push(`${name}: ${before.server} to ${answer.server} at ${index} (… ${course.join(' ')} …)`);
      }
    }
  return { moves, violations };
}

interface Story extends Verdict {
  readonly clients: readonly Client[];
}

/** Lets servers fail and come back under load. */
async function story(
  redis: LiveRedis,
  t: TestContext,
  { apart, count }: { apart: boolean; count: number },
): Promise<Story> {
  const names = ['a', 'b', 'c', 'd', 'e'];
  const servers = names.map((name) => new NamedServer(name, join(redis.folder, `${name}.sock`)));
  t.after(() => Promise.all(servers.map((server) => server.die())));
  await Promise.all(servers.map((server) => server.start()));
  const setup = { redisUrl: redis.url, servers: servers.map(({ name, address }) => ({ name, address })), apart };
  const workers = [new Worker(setup, servers), new Worker(setup, servers)];
  t.after(() => {
    for (const worker of workers) worker.end();
  });
  await Promise.all(workers.map((worker) => worker.started()));

  const random = seededRandom(1);
  const clients = Array.from({ length: count }, (_, index) => new Client(`c${index}`, workers));
  let over = false;
  const running = Promise.all(clients.map((client) => client.run(random, () => !over)));
  const progress = async (requests: number): Promise<void> => {
    const goals = clients.map(({ answers }) => answers.length + requests);
    await until(() => clients.every(({ answers }, index) => answers.length >= (goals[index] as number)), 'answers');
  };
  const seenAs = (chosen: readonly NamedServer[], state: 'up' | 'down'): Promise<void> =>
    until(() => workers.every((worker) => chosen.every((server) => worker.sees(server) === state)), `${state}`);
  const [a, b, c, d] = servers as [NamedServer, NamedServer, NamedServer, NamedServer];
  const acts: readonly [readonly NamedServer[], 'die' | 'sicken'][] = [
    [[a], 'die'],
    [[b], 'sicken'],
    [[c, d], 'die'],
    [[a, c], 'sicken'],
  ];
  await progress(2);
  for (const [chosen, fail] of acts) {
    for (const { downtimes } of chosen) downtimes.note('it', false, sharedNow());
    await Promise.all(chosen.map((server) => server[fail]()));
    await seenAs(chosen, 'down');
    await progress(2);
    await Promise.all(chosen.map((server) => server.start()));
    for (const { downtimes } of chosen) downtimes.note('it', true, sharedNow());
    await seenAs(chosen, 'up');
    await progress(2);
  }
  over = true;
  await running;
  assert.deepEqual(
    workers.flatMap(({ troubles }) => troubles),
    [],
  );
  assert.deepEqual(
    clients.flatMap(({ failures }) => failures),
    [],
    'every request is answered',
  );
  return { ...judge(clients, servers), clients };
}

withRedis('two processes under load: a client leaves its server only when that is down', async (redis, t) => {
  const { moves, violations, clients } = await story(redis, t, { apart: false, count: 200 });
  t.diagnostic(`${clients.reduce((sum, { asked }) => sum + asked, 0)} requests, ${moves} moves`);
  assert.deepEqual(violations, []);
  assert.ok(moves >= 100, `${moves} moves`);

  const table = await redis.table({ name: 'fleet', store: ['http_req_cnt'] });
  for (const { name, asked } of clients) {
    let count: number | undefined;
    for (const end = Date.now() + 20_000; count !== asked; count = (await table.get(name))?.http_req_cnt)
      assert.ok(Date.now() < end, `${name} has asked ${asked} times, and ${count} are counted`);
  }
});

withRedis('the same with a table a process: that it would fail is seen', async (redis, t) => {
  const { violations } = await story(redis, t, { apart: true, count: 40 });
  assert.ok(violations.length > 20, `${violations.length} violations`);
});
