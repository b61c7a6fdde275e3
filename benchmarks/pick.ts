/**
 * What one choice costs: `pick`, then `took` and, 64 requests later, `freed`. Each algorithm at 3 to 4,095 servers, with
 * equal and with mixed weights, beside two well-known choices written plainly: smooth weighted round robin as nginx has
 * it, and a weighted round robin that walks its list against a falling threshold, as undici's BalancedPool has it (cheap
 * while few servers are full, but a heavy one gets its requests in bursts).
 * Prints nanoseconds, the median of five turns in alternation. Run: `node benchmarks/pick.ts` (about a minute).
 */

import type { RequestContext } from '#src/core/context.ts';
import { type Environment, systemEnvironment } from '#src/core/environment.ts';
import { OptionReader } from '#src/core/options.ts';
import { Pool, type PoolOptions } from '#src/index.ts';
import { HashRing } from '#src/schedulers/hash-ring.ts';
import { readBalance } from '#src/schedulers/index.ts';
import type { PoolView } from '#src/schedulers/scheduler.ts';
import { parseAddress } from '#src/servers/address.ts';
import { MAX_WEIGHT } from '#src/servers/effective.ts';
import { Server } from '#src/servers/server.ts';

const SIZES = [3, 100, 1_000, 4_095];
const TURNS = 5;
const TURN_MS = 40;
const HELD = 64;

/** A choice over a fixed list of servers. */
interface Choice {
  pick(): Server | undefined;
  took(server: Server): void;
  freed(server: Server): void;
  /** Weights changed. */
  reweigh(changed: readonly Server[]): void;
  remove?(server: Server): void;
  add?(server: Server): void;
  /** Weights cannot change. */
  readonly isStatic?: boolean;
}

type MakeChoice = (servers: readonly Server[]) => Choice | undefined;

const seededEnvironment = (): Environment => {
  let state = 1;
  return {
    now: systemEnvironment.now,
    setTimer: systemEnvironment.setTimer,
    random: () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 4_294_967_296;
    },
  };
};

function viewOf(servers: readonly Server[]): PoolView {
  return { servers, served: HELD, addressOf: ({ remoteAddress }) => remoteAddress, report: () => undefined };
}

/** Requests that differ in whatever is hashed. */
const REQUESTS: readonly RequestContext[] = Array.from({ length: 1_024 }, (_, n) => ({
  method: 'GET',
  url: `/products/${n * 7919}/pictures?size=${n % 5}&user=u${n}`,
  headers: { 'x-user': `user-${n * 104_729}` },
  remoteAddress: `10.1.${n >> 8}.${n & 255}`,
}));

/** `undefined` where so many servers with such weights are refused. */
function ours(options: PoolOptions): MakeChoice {
  const balance = readBalance(new OptionReader(options, ''));
  return (servers) => {
    if (balance.refuse(servers) !== undefined) return undefined;
    const scheduler = balance.factory(seededEnvironment(), viewOf(servers));
    for (const server of servers) scheduler.add(server);
    let request = 0;
    return {
      isStatic: balance.static,
      pick: () => {
        request = (request + 1) & 1_023;
        return scheduler.pick(REQUESTS[request] ?? {}, undefined) as Server | undefined;
      },
      took: (server) => scheduler.took?.(server),
      freed: (server) => scheduler.freed?.(server),
      reweigh: (changed) => {
        for (const server of changed) scheduler.reweigh(server);
      },
      remove: (server) => scheduler.remove(server),
      add: (server) => scheduler.add(server),
    };
  };
}

/** Each choice adds every weight to its server's score; the best scored is taken and pays the sum of all weights. */
const smoothRoundRobin: MakeChoice = (servers) => {
  const rows = servers.map((server) => ({ server, score: 0 }));
  return {
    pick: () => {
      let best: (typeof rows)[number] | undefined;
      let total = 0;
      for (const row of rows) {
        if (row.server.saturated) continue;
        row.score += row.server.weight;
        total += row.server.weight;
        if (best === undefined || row.score > best.score) best = row;
      }
      if (best !== undefined) best.score -= total;
      return best?.server;
    },
    took: () => undefined,
    freed: () => undefined,
    reweigh: () => undefined,
  };
};

/** Walks round the list and takes the next server whose weight reaches a threshold, which falls with every lap. */
const thresholdRoundRobin: MakeChoice = (servers) => {
  const divisorOf = (a: number, b: number): number => (b === 0 ? a : divisorOf(b, a % b));
  let heaviest = 0;
  let step = 0;
  const weighAll = (): void => {
    heaviest = Math.max(...servers.map((server) => server.weight));
    step = servers.reduce((divisor, server) => divisorOf(server.weight, divisor), 0);
  };
  weighAll();
  let index = -1;
  let threshold = 0;
  return {
    pick: () => {
      let best: Server | undefined;
      for (let looked = 0; looked < servers.length; looked++) {
        index = (index + 1) % servers.length;
        if (index === 0) {
          threshold -= step;
          if (threshold <= 0) threshold = heaviest;
        }
        const server = servers[index];
        if (server === undefined || server.saturated) continue;
        if (server.weight >= threshold) return server;
        if (best === undefined || server.weight > best.weight) best = server;
      }
      return best;
    },
    took: () => undefined,
    freed: () => undefined,
    reweigh: weighAll,
  };
};

const CHOICES: Readonly<Record<string, MakeChoice>> = {
  roundrobin: ours({ balance: 'roundrobin' }),
  'static-rr': ours({ balance: 'static-rr' }),
  leastconn: ours({ balance: 'leastconn' }),
  first: ours({ balance: 'first' }),
  random: ours({ balance: 'random' }),
  'peak-ewma': ours({ balance: 'peak-ewma' }),
  sticky: ours({ balance: { algorithm: 'sticky' } }),
  'source, map': ours({ balance: 'source' }),
  'uri, map': ours({ balance: 'uri' }),
  'uri, consistent': ours({ balance: 'uri', hashType: 'consistent' }),
  '… bounded, 150 %': ours({ balance: 'uri', hashType: 'consistent', hashBalanceFactor: 150 }),
  'uri, maglev': ours({ balance: 'uri', hashType: 'maglev' }),
  'url_param, map': ours({ balance: 'url_param user' }),
  'hdr, map': ours({ balance: 'hdr(x-user)' }),
  'hash of sample, map': ours({ balance: 'hash req.hdr(x-user),lower' }),
  'smooth (nginx)': smoothRoundRobin,
  'threshold (undici)': thresholdRoundRobin,
};

function makeServers(count: number, weightOf: (index: number) => number, maxconn = 0): Server[] {
  return Array.from({ length: count }, (_, index) => {
    const address = parseAddress(`10.${index >> 8}.${index & 255}.1:80`);
    if (address === undefined) throw new Error('not an address');
    const settings = { weight: weightOf(index), maxconn, minconn: maxconn, maxqueue: 0, backup: false, slowstartMs: 0 };
    return new Server(index + 1, `s${index + 1}`, address, settings);
  });
}

const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0;

/** One choice under steady traffic: the slots of the last 64 requests are held. Gives what to time. */
function traffic(choice: Choice): (requests: number) => void {
  const held: (Server | undefined)[] = new Array(HELD).fill(undefined);
  let next = 0;
  return (requests) => {
    for (let i = 0; i < requests; i++) {
      const oldest = held[next];
      if (oldest !== undefined) {
        oldest.active--;
        choice.freed(oldest);
      }
      const server = choice.pick();
      if (server === undefined) throw new Error('no server');
      server.active++;
      choice.took(server);
      held[next] = server;
      next = (next + 1) % HELD;
    }
  };
}

/** Nanoseconds a request, over a turn's time. */
function time(run: (requests: number) => void): number {
  const started = performance.now();
  let requests = 0;
  let elapsed = 0;
  for (let batch = 16; elapsed < TURN_MS; batch = Math.min(batch * 2, 4_096)) {
    run(batch);
    requests += batch;
    elapsed = performance.now() - started;
  }
  return (elapsed * 1e6) / requests;
}

function row(label: string, cells: readonly string[]): string {
  return `| ${label.padEnd(20)} |${cells.map((cell) => ` ${cell.padStart(9)} |`).join('')}`;
}

function table(title: string, header: readonly string[], rows: ReadonlyMap<string, readonly string[]>): void {
  console.log(`\n${title}\n`);
  console.log(row('', header));
  console.log(`|${'-'.repeat(22)}|${header.map(() => '----------:|').join('')}`);
  for (const [label, cells] of rows) console.log(row(label, cells));
}

const nanoseconds = (value: number): string => Math.round(value).toLocaleString('en-US');

for (const [title, weightOf] of [
  ['ns a request, all weights 1', () => 1],
  ['ns a request, weights 1..256', (index: number) => 1 + ((index * 97) % MAX_WEIGHT)],
] as const) {
  const cells = new Map<string, string[]>(Object.keys(CHOICES).map((name) => [name, []]));
  for (const size of SIZES) {
    const runs = Object.entries(CHOICES).flatMap(([name, make]) => {
      const choice = make(makeServers(size, weightOf));
      if (choice === undefined) cells.get(name)?.push('refused');
      return choice === undefined ? [] : [{ name, run: traffic(choice), turns: [] as number[] }];
    });
    for (const { run } of runs) time(run);
    for (let turn = 0; turn < TURNS; turn++) for (const { run, turns } of runs) turns.push(time(run));
    for (const { name, turns } of runs) cells.get(name)?.push(nanoseconds(median(turns)));
  }
  table(
    title,
    SIZES.map((size) => `${size.toLocaleString('en-US')}`),
    cells,
  );
}

const hardCases = new Map<string, string[]>();
for (const [name, make] of Object.entries(CHOICES)) {
  const servers = makeServers(4_095, (index) => 1 + (index % 16), 1);
  const choice = make(servers);
  if (choice === undefined) continue;
  const last = servers.length >> 1;
  choice.pick();
  for (const [index, server] of servers.entries()) {
    if (index === last) continue;
    server.active = 1;
    choice.took(server);
  }
  const allButOneFull = (requests: number): void => {
    for (let i = 0; i < requests; i++) if (choice.pick() === undefined) throw new Error('no server');
  };
  time(allButOneFull);
  const full = median(Array.from({ length: TURNS }, () => time(allButOneFull)));
  hardCases.set(name, [nanoseconds(full), ...changesOf(make)]);
}
table(
  '4,095 servers of weight 16: ns a pick while all but one are full; ms for one weight, for one down, for one up, and for 4,095 weights in a row, each with the pick behind it',
  ['full', 'weight', 'down', 'up', '4,095'],
  hardCases,
);

/** What changes cost, in milliseconds, with the pick that follows them. */
function changesOf(make: MakeChoice): string[] {
  const servers = makeServers(4_095, () => 16);
  const choice = make(servers);
  if (choice === undefined) return [];
  const measure = (turns: number, change: (turn: number) => void): string => {
    const ms = Array.from({ length: turns + 5 }, (_, turn) => {
      const started = performance.now();
      change(turn);
      choice.pick();
      return performance.now() - started;
    });
    return median(ms.slice(5)).toFixed(3);
  };
  const weigh = (changed: readonly Server[], weight: number): void => {
    for (const server of changed) {
      server.weight = weight;
      server.recalculate(0);
    }
    choice.reweigh(changed);
  };
  choice.pick();
  const one = choice.isStatic
    ? '-'
    : measure(41, (turn) => weigh(servers.slice(turn * 7, turn * 7 + 1), turn % 2 === 0 ? 17 : 15));
  const { remove, add } = choice;
  if (!remove || !add) return [one, '-', '-', measure(21, (turn) => weigh(servers, 15 + (turn % 2)))];
  const down: number[] = [];
  const up: number[] = [];
  for (let turn = 0; turn < 41; turn++) {
    const server = servers[turn * 31] as Server;
    for (const [change, times] of [
      [remove, down],
      [add, up],
    ] as const) {
      const started = performance.now();
      change(server);
      choice.pick();
      times.push(performance.now() - started);
    }
  }
  const all = choice.isStatic ? '-' : measure(21, (turn) => weigh(servers, 15 + (turn % 2)));
  return [one, median(down).toFixed(3), median(up).toFixed(3), all];
}

{
  const servers = makeServers(4_095, () => 16).map(({ name }, index) => ({
    name,
    address: `10.${index >> 8}.${index & 255}.1:80`,
    weight: 16,
  }));
  const times = Array.from({ length: TURNS }, () => {
    const started = performance.now();
    const pool = new Pool({ servers, balance: 'uri', hashType: 'consistent' });
    pool.tryAcquire({ url: '/' })?.release();
    return performance.now() - started;
  });
  const ring = new HashRing();
  const random = seededEnvironment().random;
  const keys = Int32Array.from({ length: 1_048_320 }, () => (random() * 2 ** 32) | 0);
  ring.insertAll(keys, new Uint32Array(keys.length));
  console.log(
    `\nnew Pool with 4,095 servers of weight 16 on a ring (1,048,320 nodes), and its first choice: ${median(times).toFixed(0)} ms; ${(ring.bytes / ring.size).toFixed(1)} bytes a node`,
  );
}
