import { setTimeout as delay } from 'node:timers/promises';
import { KeepAliveClient, type Reply } from './keep-alive-client.ts';
import { seededRandom } from './virtual-clock.ts';

/** A server that can be killed without a word, and started again at its old address. */
export interface MortalServer {
  readonly name: string;
  readonly running: boolean;
  /** Resolves once it accepts connections. */
  start(): Promise<void>;
  /** Resolves once it is gone. */
  kill(): Promise<void>;
}

export interface UnrestPlan {
  readonly seed: number;
  readonly forMs: number;
  /** Time between two acts: at least and at most. */
  readonly everyMs: readonly [least: number, most: number];
}

/** What was done to the servers. */
export interface Acts {
  kills: number;
  starts: number;
  /** Fewest servers that ran at one time. */
  fewest: number;
}

/** Kills and restarts servers at random, the same for the same seed; one always runs. In the end all run again. */
export async function unrest(servers: readonly MortalServer[], { seed, forMs, everyMs }: UnrestPlan): Promise<Acts> {
  const random = seededRandom(seed);
  const [least, most] = everyMs;
  const acts: Acts = { kills: 0, starts: 0, fewest: servers.length };
  const endsAt = performance.now() + forMs;
  while (performance.now() < endsAt) {
    await delay(least + random() * (most - least));
    const server = servers[Math.floor(random() * servers.length)];
    if (server === undefined) continue;
    if (!server.running) {
      await server.start();
      acts.starts++;
    } else if (servers.some((other) => other !== server && other.running)) {
      await server.kill();
      acts.kills++;
      acts.fewest = Math.min(acts.fewest, servers.filter(({ running }) => running).length);
    }
  }
  for (const server of servers) if (!server.running) await server.start();
  return acts;
}

export interface TrafficPlan {
  readonly port: number;
  readonly clients: number;
  readonly seed: number;
  /** Asked before each request. */
  readonly goesOn: () => boolean;
}

/** What the clients saw. */
export interface Seen {
  gets: number;
  posts: number;
  /** POSTs with no answer of a server: their ids. */
  readonly postsLost: string[];
  /** What must not be: GETs without a whole right answer, answers to somebody else, requests that hang. */
  readonly faults: string[];
}

const POSTS_PER_TEN = 2;

/** Keep-alive clients that ask without a pause; GETs for the most part. A server answers with what follows the last `/`. */
export async function traffic({ port, clients, seed, goesOn }: TrafficPlan): Promise<Seen> {
  const seen: Seen = { gets: 0, posts: 0, postsLost: [], faults: [] };
  const work = async (client: number): Promise<void> => {
    const random = seededRandom(seed * 1_000 + client);
    const connection = new KeepAliveClient(port);
    for (let n = 0; goesOn(); n++) {
      const id = `${client}-${n}`;
      if (random() * 10 < POSTS_PER_TEN) {
        seen.posts++;
        const reply = await connection.ask(
          `POST /post/${id} HTTP/1.1\r\nHost: front.test\r\nContent-Length: ${id.length}\r\n\r\n${id}`,
        );
        if (reply.status !== 200) seen.postsLost.push(id);
        if (isWrongForPost(reply, id)) seen.faults.push(`POST ${id}: ${inWords(reply)}`);
      } else {
        seen.gets++;
        const reply = await connection.ask(`GET /get/${id} HTTP/1.1\r\nHost: front.test\r\n\r\n`);
        if (reply.status !== 200 || reply.body !== id) seen.faults.push(`GET ${id}: ${inWords(reply)}`);
      }
    }
    connection.leave();
  };
  await Promise.all(Array.from({ length: clients }, (_, client) => work(client)));
  return seen;
}

/** A POST that died with its server gets a 502 and is not sent again; anything else is wrong. */
function isWrongForPost({ status, body }: Reply, id: string): boolean {
  return status === 200 ? body !== id : status !== 502;
}

function inWords({ status, body, fault }: Reply): string {
  return fault ?? `${status} ${JSON.stringify(body.slice(0, 80))}`;
}

/** Ids that reached a server more than once. */
export function repeated(ids: readonly string[]): string[] {
  const seen = new Set<string>();
  return ids.filter((id) => seen.size === seen.add(id).size);
}
