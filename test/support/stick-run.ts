import { connect, type NetConnectOpts } from 'node:net';
import type { StickOrigin, Told } from './stick-origin.ts';
import type {
  RecordedTable,
  ServerState,
  StickOutcome,
  StickRequest,
  StickScenario,
  StickServer,
  StickStep,
} from './stick-record.ts';

/** What balances in a scenario: HAProxy, or a pool. */
export interface StickProxy {
  /** Where the first backend, or the second, is reached. @param byTcp where the client has an address */
  door(backend: 0 | 1, byTcp: boolean): NetConnectOpts;
  /** Resolves once the request of that id is over. @returns the server that it had last */
  ended(id: string): Promise<string | undefined>;
  setServer(server: StickServer, change: { is?: ServerState; weight?: number }): Promise<void>;
  operate(step: Extract<StickStep, { set: string } | { clear: string } | { clearAll: unknown }>): Promise<void>;
  show(step: Extract<StickStep, { show: unknown }>): Promise<readonly string[]>;
  tables(): Promise<Readonly<Record<string, RecordedTable>>>;
}

/** Plays one scenario after the other to one proxy. */
export class StickRun {
  readonly #proxy: StickProxy;
  readonly #origin: StickOrigin;
  readonly #scenario: StickScenario;
  readonly #id: string;
  readonly #held = new Map<string, () => Promise<Pick<StickOutcome, 'server' | 'status'>>>();
  #next = 0;

  /** @param id makes ids of requests of several runs at one origin different */
  constructor(scenario: StickScenario, proxy: StickProxy, origin: StickOrigin, id: string) {
    this.#scenario = scenario;
    this.#proxy = proxy;
    this.#origin = origin;
    this.#id = id;
  }

  async play(step: StickStep): Promise<Omit<StickOutcome, 'at'>> {
    const came = await this.#act(step);
    return { ...came, tables: await this.#proxy.tables() };
  }

  async #act(step: StickStep): Promise<Pick<StickOutcome, 'server' | 'status' | 'shown'>> {
    if ('ask' in step) {
      const { told, ending } = this.#send(step.ask, 'hold' in step);
      if (!('hold' in step)) return ending();
      const over = ending();
      this.#held.set(step.hold, () => {
        told.answer();
        return over;
      });
      // Refused or without a server it is over at once.
      await Promise.race([told.asked, over]);
      return told.wasAsked ? {} : over;
    }
    if ('finish' in step) {
      const finish = this.#held.get(step.finish);
      if (!finish) throw new Error(`nothing is held as ${step.finish}`);
      return finish();
    }
    if ('wait' in step) return {};
    if ('show' in step) return { shown: [...(await this.#proxy.show(step))].sort() };
    if ('server' in step) await this.#setServer(step);
    else await this.#proxy.operate(step);
    return {};
  }

  #send(
    request: StickRequest,
    holds: boolean,
  ): { told: Told; ending: () => Promise<Pick<StickOutcome, 'server' | 'status'>> } {
    const id = `${this.#id}r${this.#next++}`;
    const told = this.#origin.expect(id, request, holds);
    const over = this.#proxy.ended(id);
    const { line = 'GET /', headers = {}, sends, from, to = 0 } = request;
    // Both tell of ends by the target.
    const target = `${line}${line.includes('?') ? '&' : '?'}id=${id}`;
    const fields = ['host: x', `x-id: ${id}`, 'connection: close'];
    if (sends !== undefined) fields.push(`content-length: ${sends}`);
    fields.push(...Object.entries(headers).map(([name, value]) => `${name}: ${value}`));
    const door = this.#proxy.door(to, from !== undefined);
    const socket = connect(from === undefined ? door : { ...door, localAddress: from }).setEncoding('latin1');
    socket.write(`${target} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n${'x'.repeat(sends ?? 0)}`, 'latin1');
    const ending = async (): Promise<Pick<StickOutcome, 'server' | 'status'>> => {
      let text = '';
      for await (const piece of socket) text += piece;
      const server = await over;
      return {
        server: told.wasAsked ? (server ?? null) : null,
        status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0),
      };
    };
    return { told, ending };
  }

  async #setServer({ server: name, is, weight }: Extract<StickStep, { server: string }>): Promise<void> {
    const server = [...this.#scenario.servers, ...(this.#scenario.others ?? [])].find((known) => known.name === name);
    if (!server) throw new Error(`there is no server ${name}`);
    await this.#proxy.setServer(server, { ...(is && { is }), ...(weight !== undefined && { weight }) });
  }
}
