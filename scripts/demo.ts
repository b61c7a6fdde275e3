import { Agent, createServer, get, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { parseCommandLine } from '#src/bin/arguments.ts';
import { ListenError, type Running, run } from '#src/bin/run.ts';
import { Screen } from '#src/bin/screen.ts';
import { readSettings } from '#src/bin/settings.ts';
import { onStopSignal } from '#src/bin/stop-signals.ts';

/**
 * The command `evenkeel` before three sample servers, with traffic of its own. One of the servers breaks for a while
 * and is mended, again and again, until Ctrl-C.
 *
 * --for SECONDS ends it by itself; --speed N lets everything happen N times as fast.
 */

const WEIGHTS = { a: 3, b: 2, c: 1 };
const REQUESTS_PER_SECOND = 30;
const MOST_REQUESTS_AT_ONCE = 50;
const BREAKS_AFTER_S = 5;
const BROKEN_FOR_S = 6;
const ROUND_S = 20;
const REPORT_EVERY_S = 3;

/** A server that can break: every connection is cut, as if its process had died. */
class SampleServer {
  readonly name: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #broken = false;

  constructor(name: string) {
    this.name = name;
    this.#server = createServer((request, response) => {
      response.setHeader('x-served-by', name);
      response.end(request.url === '/healthz' ? 'ok\n' : `hello from ${name}\n`);
    });
    this.#server.on('connection', (socket: Socket) => {
      if (this.#broken) socket.destroy();
      else this.#sockets.add(socket.once('close', () => this.#sockets.delete(socket)));
    });
  }

  async listen(): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.listen(0, '127.0.0.1', resolve);
    await promise;
    return (this.#server.address() as AddressInfo).port;
  }

  break(): void {
    this.#broken = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#broken = false;
  }

  close(): void {
    this.#server.close();
    this.break();
  }
}

/** What a client of the pool sees: who answered how often, and how many requests failed. */
class Tally {
  readonly #served = new Map<string, number>();
  total = 0;
  failed = 0;

  /** @param server `undefined`: the request failed */
  count(server: string | undefined): void {
    this.total++;
    if (server === undefined) this.failed++;
    else this.#served.set(server, (this.#served.get(server) ?? 0) + 1);
  }

  inWords(): string {
    const shares = Object.keys(WEIGHTS).map((name) => {
      const count = this.#served.get(name) ?? 0;
      return `${name} ${count} (${this.total === 0 ? 0 : Math.round((100 * count) / this.total)} %)`;
    });
    return `${this.total} requests: ${shares.join(', ')}; ${this.failed} failed`;
  }
}

const { values } = parseArgs({ options: { for: { type: 'string' }, speed: { type: 'string', default: '1' } } });
const speed = Number(values.speed);
const endsAfterS = values.for === undefined ? undefined : Number.parseFloat(values.for);
if (!(speed > 0) || (endsAfterS !== undefined && !(endsAfterS > 0)))
  throw new Error('--for and --speed need a number greater than 0');
const ms = (seconds: number): number => (seconds * 1000) / speed;

async function main(): Promise<void> {
  const servers = Object.keys(WEIGHTS).map((name) => new SampleServer(name));
  const screen = new Screen(process.stdout);
  const say = (text: string): void => screen.line(`demo: ${text}`);
  const running = await start(servers, screen);
  const since = { start: new Tally(), report: new Tally() };
  const agent = new Agent({ keepAlive: true });
  let underWay = 0;
  const request = (): void => {
    if (underWay >= MOST_REQUESTS_AT_ONCE) return;
    underWay++;
    let answeredBy: string | undefined;
    const client = get(running.url, { agent }, (response) => {
      response.resume().once('end', () => {
        if (response.statusCode === 200) answeredBy = String(response.headers['x-served-by']);
      });
    });
    client.on('error', () => {}); // 'close' follows
    client.once('close', () => {
      underWay--;
      for (const tally of Object.values(since)) tally.count(answeredBy);
    });
  };

  say(`servers a, b and c share ${REQUESTS_PER_SECOND} requests a second by their weights, 3 : 2 : 1`);
  say(`add your own with: curl -i ${running.url}`);
  say(`in ${BREAKS_AFTER_S} seconds server b breaks; Ctrl-C ends the demo`);
  const broken = servers[1];
  const timers = [setInterval(request, ms(1 / REQUESTS_PER_SECOND))];
  const round = (): void => {
    timers.push(
      setTimeout(() => {
        say('b breaks: it cuts every connection. Requests that hit it are sent again elsewhere, until its check fails');
        broken?.break();
      }, ms(BREAKS_AFTER_S)),
      setTimeout(
        () => {
          say('b is mended: two passed checks bring it back');
          broken?.mend();
        },
        ms(BREAKS_AFTER_S + BROKEN_FOR_S),
      ),
      setTimeout(() => say(`so far ${since.start.inWords()}`), ms(ROUND_S - REPORT_EVERY_S)),
    );
  };
  round();
  timers.push(setInterval(round, ms(ROUND_S)));
  if (!screen.live) {
    timers.push(
      setInterval(() => {
        say(`last ${REPORT_EVERY_S} seconds: ${since.report.inWords()}`);
        since.report = new Tally();
      }, ms(REPORT_EVERY_S)),
    );
  }
  const stop = async (): Promise<void> => {
    for (const timer of timers) clearTimeout(timer);
    await running.drain();
    agent.destroy();
    for (const server of servers) server.close();
    say(`in all ${since.start.inWords()}`);
  };
  onStopSignal(() => void stop());
  if (endsAfterS !== undefined) timers.push(setTimeout(() => void stop(), ms(endsAfterS)));
}

/** As from the command line; on any port that is free when the usual one is taken. */
async function start(servers: readonly SampleServer[], screen: Screen): Promise<Running> {
  const addresses: string[] = [];
  for (const [i, weight] of Object.values(WEIGHTS).entries()) {
    const server = servers[i];
    if (server) addresses.push(`http://127.0.0.1:${await server.listen()};name=${server.name};weight=${weight}`);
  }
  const interval = `${ms(0.5)}ms`;
  const settingsOn = (port: string): ReturnType<typeof readSettings> => {
    const command = parseCommandLine([...addresses, '--check', '/healthz', '--inter', interval, '--listen', port]);
    if (command.ask !== 'run') throw new Error('the command line asks for nothing else');
    return readSettings(command);
  };
  try {
    return await run(settingsOn('8080'), screen);
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    return run(settingsOn('0'), screen);
  }
}

await main();
