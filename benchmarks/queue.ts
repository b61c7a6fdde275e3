/**
 * What waiting costs: to enter a queue, to be served from it, and to leave it from the middle, while so many wait. The queue
 * by itself stands beside a plain array and a linked list, which know no priority; `pool.acquire()` beside a counting
 * semaphore as one writes it by hand, an array of promises. A deadline, a signal and a lease that reports its loss are in the
 * pool's figures and not in the semaphore's.
 * Prints nanoseconds, the median of nine turns in alternation. Run: `npm run bench:queue` (about a minute).
 */

import { Pool } from '#src/index.ts';
import { type Queued, queueKey, RequestQueue, Waiter } from '#src/pool/request-queue.ts';

const SIZES = [10, 1_000, 100_000];
const TURNS = 9;
/** Operations timed at once, where so many wait; few enough not to change the size much. */
const BATCH = 1_000;
/** Operations a turn. */
const OPERATIONS = 10_000;

/** Some that wait. Each operation is done `count` times. */
interface Line {
  enter(count: number): void;
  serve(count: number): void | Promise<void>;
  /** Those of these places among the last to come leave. */
  leave(places: readonly number[]): void | Promise<void>;
}

const OWNER: Queued = {
  forced: false,
  onTurn: () => undefined,
  onRefused: () => undefined,
  chooseAnew: () => {
    throw new Error('not asked');
  },
};
const PRIORITY = {};
const ignore = (): void => undefined;

function requestQueue(): Line {
  const queue = new RequestQueue(undefined);
  let recent: Waiter[] = [];
  let arrivals = 0;
  return {
    enter: (count) => {
      recent = [];
      for (let i = 0; i < count; i++) {
        const now = arrivals / 100;
        const waiter = new Waiter(OWNER, queueKey(PRIORITY, now), now, now, ignore);
        waiter.arrival = arrivals++;
        queue.enter(waiter);
        recent.push(waiter);
      }
    },
    serve: (count) => {
      for (let i = 0; i < count; i++) queue.leave(queue.first as Waiter);
    },
    leave: (places) => {
      for (const place of places) queue.leave(recent[place] as Waiter);
    },
  };
}

function plainArray(): Line {
  const queue: object[] = [];
  let recent: object[] = [];
  return {
    enter: (count) => {
      recent = [];
      for (let i = 0; i < count; i++) {
        const waiter = { owner: OWNER };
        queue.push(waiter);
        recent.push(waiter);
      }
    },
    serve: (count) => {
      for (let i = 0; i < count; i++) queue.shift();
    },
    leave: (places) => {
      for (const place of places) queue.splice(queue.indexOf(recent[place] as object), 1);
    },
  };
}

interface Link {
  next: Link;
  previous: Link;
}

function linkedList(): Line {
  const end = {} as Link;
  end.next = end;
  end.previous = end;
  let recent: Link[] = [];
  const unlink = ({ next, previous }: Link): void => {
    next.previous = previous;
    previous.next = next;
  };
  return {
    enter: (count) => {
      recent = [];
      for (let i = 0; i < count; i++) {
        const link: Link = { next: end, previous: end.previous };
        end.previous.next = link;
        end.previous = link;
        recent.push(link);
      }
    },
    serve: (count) => {
      for (let i = 0; i < count; i++) unlink(end.next);
    },
    leave: (places) => {
      for (const place of places) unlink(recent[place] as Link);
    },
  };
}

/** A lease, or the like. */
interface Held {
  release(): void;
}

/** Whatever is waited for by promise: each that is served releases at once, in favour of the next. */
function byPromise(acquire: (signal: AbortSignal) => Promise<Held>, first: Held): Line {
  let held = first;
  let recent: AbortController[] = [];
  let served = 0;
  let wanted = 0;
  let done: () => void = ignore;
  const onServed = (lease: Held): void => {
    held = lease;
    if (++served < wanted) lease.release();
    else done();
  };
  return {
    enter: (count) => {
      recent = [];
      for (let i = 0; i < count; i++) {
        const controller = new AbortController();
        recent.push(controller);
        acquire(controller.signal).then(onServed, ignore);
      }
    },
    serve: async (count) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      [served, wanted, done] = [0, count, resolve];
      held.release();
      await promise;
    },
    leave: async (places) => {
      for (const place of places) recent[place]?.abort();
      await Promise.resolve();
    },
  };
}

function pool(): Line {
  const full = new Pool({ servers: [{ address: '127.0.0.1:1', maxconn: 1 }], timeout: { queue: '1h' } });
  const context = {};
  return byPromise((signal) => full.acquire(context, { signal }), full.tryAcquire() as Held);
}

function semaphore(): Line {
  const waiting: ((held: Held) => void)[] = [];
  const held: Held = { release: () => waiting.shift()?.(held) };
  const acquire = (signal: AbortSignal): Promise<Held> =>
    new Promise((resolve, reject) => {
      const onAbort = (): void => {
        waiting.splice(waiting.indexOf(turn), 1);
        reject(signal.reason);
      };
      const turn = (given: Held): void => {
        signal.removeEventListener('abort', onAbort);
        resolve(given);
      };
      signal.addEventListener('abort', onAbort);
      waiting.push(turn);
    });
  return byPromise(acquire, held);
}

const LINES: Readonly<Record<string, () => Line>> = {
  'evenkeel: queue': requestQueue,
  'linked list': linkedList,
  array: plainArray,
  'evenkeel: acquire': pool,
  'semaphore, array': semaphore,
};

const OPERATION_NAMES = ['enter', 'be served', 'leave'] as const;
type Times = Record<(typeof OPERATION_NAMES)[number], number>;

/** Each place of a batch once, in no order. */
function shuffled(count: number): number[] {
  const places = Array.from({ length: count }, (_, place) => place);
  for (let i = count - 1; i > 0; i--) {
    const other = (i * 7_919 + 13) % (i + 1);
    [places[i], places[other]] = [places[other] as number, places[i] as number];
  }
  return places;
}

/** Nanoseconds of each operation, over a turn. */
async function time(line: Line, size: number): Promise<Times> {
  const batch = Math.min(size, BATCH);
  const places = shuffled(batch);
  const times: Times = { enter: 0, 'be served': 0, leave: 0 };
  let operations = 0;
  for (; operations < OPERATIONS; operations += batch) {
    const began = performance.now();
    line.enter(batch);
    const entered = performance.now();
    await line.serve(batch);
    const served = performance.now();
    line.enter(batch);
    const enteredAgain = performance.now();
    await line.leave(places);
    times.enter += (entered - began + enteredAgain - served) / 2;
    times['be served'] += served - entered;
    times.leave += performance.now() - enteredAgain;
  }
  for (const name of OPERATION_NAMES) times[name] *= 1e6 / operations;
  return times;
}

const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0;

const inWords = (value: number): string => Math.round(value).toLocaleString('en-US');

console.log('ns each, beside so many that wait: to enter / to be served / to leave\n');
console.log(`| | ${SIZES.map(inWords).join(' | ')} |\n|---|${SIZES.map(() => '---:|').join('')}`);
const cells = new Map<string, string[]>(Object.keys(LINES).map((name) => [name, []]));
for (const size of SIZES) {
  const runs = Object.entries(LINES).map(([name, make]) => ({ name, line: make(), turns: [] as Times[] }));
  for (const { line } of runs) {
    for (let left = size; left > 0; left -= BATCH) line.enter(Math.min(left, BATCH));
    await time(line, size);
  }
  for (let turn = 0; turn < TURNS; turn++) for (const { line, turns } of runs) turns.push(await time(line, size));
  for (const { name, turns } of runs)
    cells
      .get(name)
      ?.push(OPERATION_NAMES.map((operation) => inWords(median(turns.map((times) => times[operation])))).join(' / '));
}
for (const [name, row] of cells) console.log(`| ${name} | ${row.join(' | ')} |`);

/** Nanoseconds of one of so many that find a slot at once. */
async function timeFree(take: () => Held | Promise<Held>): Promise<number> {
  const COUNT = 50_000;
  const began = performance.now();
  for (let i = 0; i < COUNT; i++) (await take()).release();
  return ((performance.now() - began) * 1e6) / COUNT;
}

const idle = new Pool({ servers: [{ address: '127.0.0.1:1', maxconn: 8 }] });
const free = {
  tryAcquire: () => idle.tryAcquire() as Held,
  acquire: () => idle.acquire(),
};
const turns = { tryAcquire: [] as number[], acquire: [] as number[] };
for (let turn = 0; turn < TURNS; turn++)
  for (const name of ['tryAcquire', 'acquire'] as const) turns[name].push(await timeFree(free[name]));
console.log(
  `\nWhere a slot is free, ns with its release: tryAcquire ${inWords(median(turns.tryAcquire))}, acquire ${inWords(median(turns.acquire))}`,
);
process.exit(0);
