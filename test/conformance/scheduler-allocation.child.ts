/**
 * Prints the bytes that 20,000 picks allocate, of the options given as JSON. In a process of its own: what V8 has compiled for
 * another algorithm must have no part in it.
 */
import { makeServer } from '../support/make-server.ts';
import { type BalanceOptions, nthRequest, SchedulerGroup } from '../support/scheduler-group.ts';

const group = new SchedulerGroup(JSON.parse(process.argv[2] ?? '{}') as BalanceOptions);
const servers = Array.from({ length: 50 }, (_, index) => {
  const server = makeServer(index + 1, { maxconn: 4, weight: 1 + index * 5 });
  group.add(server);
  return server;
});
for (const server of servers) if (server.id % 3 === 0) for (let i = 0; i < 4; i++) group.take(server);

const { scheduler } = group;
const [avoid] = servers;
const contexts = Array.from({ length: 64 }, (_, index) => nthRequest(index));

function picks(count: number): number {
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < count; i++) scheduler.pick(contexts[i & 63] ?? {}, i % 4 === 0 ? avoid : undefined);
  return process.memoryUsage().heapUsed - before;
}

for (let i = 0; i < 60; i++) picks(20_000); // until all of it is compiled for good
const grown = Array.from({ length: 11 }, () => picks(20_000)).sort((a, b) => a - b);
console.log(grown[5]);
