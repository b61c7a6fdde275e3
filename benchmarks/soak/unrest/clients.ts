import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { type Answer, HANG_MS } from '../../../test/support/client-exchange.ts';
import { RawClient, type RawExchange } from '../../../test/support/raw-client.ts';
import { between, drawn } from './chance.ts';
import type { Ledger, Sight } from './ledger.ts';
import { PATTERN, receiptOf } from './restless-server.ts';

/** What a client does next, and how often. */
const DEEDS = { get: 40, post: 15, put: 8, upload: 5, pipeline: 8, slow: 5, leave: 10, upgrade: 9 } as const;

/** Bodies that servers in trouble send whole (`test/support/fault-servers.ts`). */
const TROUBLED: ReadonlySet<string> = new Set(['', 'hello', 'error']);

/** Small enough to be kept by the pool, and to be sent again. */
const KEPT_BYTES = 20_000;
const PIECE_BYTES = 30_000;

/** Longest pause between two deeds. */
const PAUSE_MS = 300;

/** A client that does one thing after another, each drawn by its own seeded chance, over a connection that it keeps while it can. */
export class RestlessClient {
  readonly #port: () => number;
  readonly #random: () => number;
  readonly #ledger: Ledger;
  #connection: RawClient | undefined = undefined;

  constructor(port: () => number, random: () => number, ledger: Ledger) {
    this.#port = port;
    this.#random = random;
    this.#ledger = ledger;
  }

  /** Does one thing, to its end. */
  async act(): Promise<void> {
    const client = await this.#connect();
    const random = this.#random;
    switch (drawn(random, DEEDS)) {
      case 'get':
        await this.#see(this.#get(client));
        break;
      case 'post':
        await this.#see(this.#send(client, 'post', between(random, 0, 500)));
        break;
      case 'put':
        await this.#see(this.#send(client, 'put', between(random, 0, KEPT_BYTES)));
        break;
      case 'upload':
        await this.#see(this.#send(client, 'upload', between(random, KEPT_BYTES, 300_000)));
        break;
      case 'slow':
        await this.#readSlowly(client);
        break;
      case 'pipeline':
        await this.#pipeline(client, false);
        break;
      case 'leave':
        await this.#leave(client);
        break;
      case 'upgrade':
        await this.#upgrade(client);
        break;
    }
    if (client.unasked !== '')
      this.#ledger.faults.push(`a client got what it did not ask for: ${client.unasked.slice(0, 80)}`);
  }

  async pause(): Promise<void> {
    await delay(between(this.#random, 0, PAUSE_MS));
  }

  leave(): void {
    this.#connection?.leave();
    this.#connection = undefined;
  }

  async #connect(): Promise<RawClient> {
    if (this.#connection?.usable) return this.#connection;
    this.#connection?.leave();
    this.#connection = await RawClient.open(this.#port());
    return this.#connection;
  }

  /** Waits for the end of an exchange and tells the ledger. Gives whether its answer was whole. */
  async #see({ id, exchange, expected, upload }: Asked, lost = false, left = false): Promise<boolean> {
    const answer = await exchange.end;
    // Of a body that is not sent whole the rest is still owed: the connection is good for nothing else.
    if (answer.field('connection') === 'close' || upload?.whole === false) this.leave();
    const { from, fault } = sourceOf(answer, expected);
    const { ended = 'hang', status } = answer;
    this.#ledger.saw(id, { ended, status, from, fault: left ? undefined : fault, lost: lost || left } satisfies Sight);
    return ended === 'complete';
  }

  #get(client: RawClient): Asked {
    const id = this.#ledger.open('get');
    return { id, exchange: client.start({ path: `/get/${id}` }), expected: String(id) };
  }

  #big(client: RawClient): Asked {
    const id = this.#ledger.open('big');
    const size = between(this.#random, 1, PATTERN.length);
    const exchange = client.start({ path: `/big/${id}/${size}` });
    return { id, exchange, expected: PATTERN.subarray(0, size).toString('latin1') };
  }

  /** Sends a body, by length or in chunks, and now and then asks first whether to. */
  #send(client: RawClient, kind: 'post' | 'put' | 'upload', size: number): Asked {
    const id = this.#ledger.open(kind);
    const random = this.#random;
    const body = PATTERN.subarray(0, size);
    const expects = kind === 'upload' && random() < 0.3;
    const exchange = client.start({
      method: kind === 'put' ? 'PUT' : 'POST',
      path: `/${kind}/${id}`,
      framing: random() < 0.5 ? 'chunked' : size,
      fields: expects ? [['Expect', '100-continue']] : [],
    });
    const upload = { whole: false };
    void pour(exchange, body, expects, upload);
    return { id, exchange, expected: receiptOf(id, size, crc32(body)), upload };
  }

  async #readSlowly(client: RawClient): Promise<void> {
    const asked = this.#big(client);
    for (let rests = between(this.#random, 1, 4); rests > 0 && asked.exchange.answer.ended === undefined; rests--) {
      asked.exchange.pause();
      await delay(between(this.#random, 5, 60));
      asked.exchange.resume();
      await delay(1);
    }
    await this.#see(asked);
  }

  /** Asks several things at once. @param leaves the client goes away meanwhile */
  async #pipeline(client: RawClient, leaves: boolean): Promise<void> {
    const random = this.#random;
    client.socket.cork();
    const all = Array.from({ length: between(random, 2, 6) }, () =>
      random() < 0.2 ? this.#big(client) : this.#get(client),
    );
    client.socket.uncork();
    if (leaves) {
      await delay(between(random, 0, 40));
      client.leave();
    }
    // What stands behind an answer that was the connection's last never comes.
    let lost = false;
    for (const asked of all) {
      const whole = await this.#see(asked, lost, leaves);
      lost ||= !whole || client.socket.destroyed || this.#connection !== client;
    }
  }

  /** Asks, and goes away before it is over, perhaps. */
  async #leave(client: RawClient): Promise<void> {
    const random = this.#random;
    if (random() < 0.2) {
      await this.#pipeline(client, true);
      return;
    }
    const asked =
      random() < 0.3
        ? this.#get(client)
        : random() < 0.5
          ? this.#big(client)
          : this.#send(client, random() < 0.5 ? 'put' : 'upload', between(random, 0, 200_000));
    if (random() < 0.5) await delay(between(random, 0, 30));
    else await Promise.race([asked.exchange.head, delay(100)]);
    client.leave();
    await this.#see(asked, false, true);
  }

  /** Opens a tunnel, sends something that must come back, and closes it in one of three ways. */
  async #upgrade(client: RawClient): Promise<void> {
    const random = this.#random;
    const id = this.#ledger.open('upgrade');
    const exchange = client.start({
      path: `/upgrade/${id}`,
      fields: [
        ['Connection', 'Upgrade'],
        ['Upgrade', 'websocket'],
      ],
    });
    const answer = await exchange.end;
    const { from, fault } = answer.status === 101 ? SWITCHED : sourceOf(answer, undefined);
    let torn: string | undefined;
    if (answer.status === 101) torn = await this.#echo(client, String(id).repeat(between(random, 1, 2_000)));
    const { ended = 'hang', status } = answer;
    this.#ledger.saw(id, { ended, status, from, fault: fault ?? torn, lost: false });
    this.leave();
  }

  /** Gives what is wrong with the echo; a tunnel that is cut is not. */
  async #echo(client: RawClient, text: string): Promise<string | undefined> {
    const { socket } = client;
    socket.write(text, 'latin1');
    const until = performance.now() + between(this.#random, 0, 200);
    while (client.unasked.length < text.length && !socket.destroyed && performance.now() < until) await delay(5);
    if (this.#random() < 0.5) socket.end();
    else client.leave();
    let stuck = false;
    socket.setTimeout(HANG_MS, () => {
      stuck = true;
      client.leave();
    });
    await client.closed;
    if (stuck) return 'a tunnel was not closed';
    const came = client.unasked;
    client.unasked = '';
    return text.startsWith(came) ? undefined : 'a tunnel gave back something else';
  }
}

/** A request under way. */
interface Asked {
  readonly id: number;
  readonly exchange: RawExchange;
  /** The body that a server in order answers with. */
  readonly expected: string;
  /** How the sending of its body stands. */
  readonly upload?: { whole: boolean };
}

/** Sends a body, unless an answer comes first. @param expects only when told to go on */
async function pour(exchange: RawExchange, body: Buffer, expects: boolean, upload: { whole: boolean }): Promise<void> {
  if (expects && !(await exchange.interims(1)).some(({ status }) => status === 100)) return;
  for (let at = 0; at < body.length; at += PIECE_BYTES) {
    if (exchange.answer.ended !== undefined) return;
    if (!exchange.write(body.subarray(at, at + PIECE_BYTES))) await exchange.drained();
  }
  if (exchange.answer.ended !== undefined) return;
  exchange.finish();
  upload.whole = true;
}

const SWITCHED = { from: 'server', fault: undefined } as const;

/** Whose answer it is. No answer may be somebody else's, or made of two. */
function sourceOf(answer: Answer, expected: string | undefined): Pick<Sight, 'from' | 'fault'> {
  if (!answer.complete) return { from: 'nobody', fault: undefined };
  const { body, status } = answer;
  if (body === expected && status === 200) return { from: 'server', fault: undefined };
  if (status >= 400 && body.startsWith(`${status} `)) return { from: 'pool', fault: undefined };
  if (TROUBLED.has(body)) return { from: 'troubled', fault: undefined };
  return { from: 'nobody', fault: `a body of nobody's: ${JSON.stringify(body.slice(0, 60))}` };
}
