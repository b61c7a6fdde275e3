import type { PoolStats } from '#src/index.ts';
import type { Findings } from '../promises.ts';
import type { Ledger } from './ledger.ts';
import type { Left, Scene, Still } from './scene.ts';

/** All that is known at the end. */
export interface Account {
  readonly scene: Scene;
  readonly before: Still;
  readonly after: Still;
  readonly left: Left;
}

/**
 * The heap is never the same twice to a few hundred KiB, and code is compiled until the end. Node's own client, which
 * http-proxy-3 uses, keeps its parsers: as many as were busy at one time.
 */
const HEAP_SLACK_MIB = { http1: 2, 'http-proxy-3': 6 } as const;

/** A check and a purge for each server, and the sweep of deadlines. */
const TIMERS_A_SERVER = 2;

/** Of the repeatable requests that had a server, and whose answer could still be had, so many must have got it. */
const LEAST_ANSWERED = 0.9999;

/** Compares what was promised with what has come of it. */
export function reckon(found: Findings, { scene, before, after, left }: Account): void {
  const { ledger, troublemaker, posts, socketsBefore } = scene;
  found.say('requests', '', sum(ledger.asked));
  found.say('  by kind', '', inWords(ledger.asked));
  found.say('  by flags', '', inWords(ledger.flags));
  found.say('  lost with their connection before the pool had them', '', ledger.unheard);
  found.say('acts', '', inWords(troublemaker.acts));
  found.say('retries', '', ledger.retries);
  found.say('hedges', '', ledger.hedges);
  found.say('most requests seen in queues', '', troublemaker.mostQueued);
  found.say('longest that this process was busy at a stretch, ms', '', left.busiestMs);
  found.none('requests without exactly one outcome, or with two views of it', ledger.faults);
  found.none('POSTs that reached two servers', posts.repeated.map(String));
  reckonShares(found, ledger);

  found.growth('heap used, MiB', before.heapBytes, after.heapBytes, HEAP_SLACK_MIB[scene.options.engine ?? 'http1']);
  found.atMost('most listeners on a client’s connection', before.listeners, after.listeners, before.listeners);
  const servers = Object.keys(after.stats.servers).length;
  found.atMost('timers of the pool', before.timers, after.timers, servers * TIMERS_A_SERVER + 1);
  found.atMost('requests, slots and queue entries', held(before.stats), held(after.stats), 0);
  found.atMost('the same once the pool is closed', '', held(left.stats), 0);
  found.atMost('requests cut by the pool’s end', '', left.cut, 0);
  found.atMost('sockets once all is closed', socketsBefore, left.sockets, socketsBefore);
  found.none('connections not closed', left.connections);
  found.atMost('timers once all is closed', '', left.timers, 0);
  found.none('warnings', left.warnings);
}

function reckonShares(found: Findings, { repeatable, shares, failures }: Ledger): void {
  const { answered, serverError, cut, ended, failed } = shares;
  const all = answered + serverError + cut + ended + failed;
  const share = (count: number): string => `${count} (${((100 * count) / Math.max(1, all)).toFixed(3)} %)`;
  found.say('repeatable requests', '', repeatable);
  found.say('  that had a server in order, with room, all the time', '', all);
  found.say('  a server’s whole answer', '', share(answered));
  found.say('  an answer of a server in trouble', '', share(serverError));
  found.say('  cut by their server in the answer', '', share(cut));
  found.say('  ended with a server that was removed', '', share(ended));
  const helped = answered + serverError + failed;
  found.atLeast(
    '  not failed, of those that could be helped, %',
    100 * (1 - failed / Math.max(1, helped)),
    100 * LEAST_ANSWERED,
  );
  found.examples(failures);
}

/** What requests and leases hold, which must be nothing when there are none. */
export function held({ active, queued, leases, servers }: PoolStats): number {
  return Object.values(servers).reduce(
    (total, server) => total + server.active + server.queued,
    active + queued + leases,
  );
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function inWords(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .sort(([, one], [, other]) => other - one)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
