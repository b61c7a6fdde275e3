import type { ServerView } from '../servers/server.ts';
import { BitSet } from './bit-set.ts';
import type { PoolView } from './scheduler.ts';
import { TableMemory } from './table-memory.ts';

/** Makes the table: for each turn the index of a server. Is given the usable servers in the order of their declaration. */
export type BuildTable = (servers: readonly ServerView[], memory: TableMemory) => Uint32Array;

/** Where a walk over the turns stands. HAProxy has one a backend, whichever group is in service. */
const cursors = new WeakMap<PoolView, { next: number }>();

/**
 * The usable servers of a group as a table of turns, built anew at the first look after they have changed. It can be looked up
 * by hash, or walked turn by turn past servers that are full.
 * Cost: O(1) a look-up, O(log n) a step of the walk; a change costs a build at the next look, however many there were.
 */
export class TurnTable {
  readonly #build: BuildTable;
  readonly #pool: PoolView;
  readonly #cursor: { next: number };
  readonly #members = new Set<ServerView>();
  readonly #memory = new TableMemory();
  #stale = false;
  #servers: ServerView[] = [];
  #indexes = new Map<ServerView, number>();
  #table: Uint32Array = new Uint32Array(0);
  /** What is known of servers that are full; `undefined` while none was seen to be. */
  #room: Room | undefined = undefined;

  constructor(pool: PoolView, build: BuildTable) {
    this.#pool = pool;
    this.#build = build;
    let cursor = cursors.get(pool);
    if (!cursor) cursors.set(pool, (cursor = { next: 0 }));
    this.#cursor = cursor;
  }

  /** One server has all turns. */
  get isSingle(): boolean {
    return this.#members.size === 1;
  }

  add(server: ServerView): void {
    this.#members.add(server);
    this.#stale = true;
  }

  remove(server: ServerView): void {
    if (this.#members.delete(server)) this.#stale = true;
  }

  /** Its weight changed. */
  reweigh(server: ServerView): void {
    if (this.#members.has(server)) this.#stale = true;
  }

  /** A slot was taken or freed, or there are more or fewer of them. */
  slotsChanged(server: ServerView): void {
    if (this.#stale) return;
    const index = this.#indexes.get(server);
    if (index === undefined || (!this.#room && !server.saturated)) return;
    this.#room ??= new Room(this.#table, this.#servers.length);
    this.#room.set(index, !server.saturated);
  }

  /** The server that a hash belongs to, full or not; another than `avoid`, in the turns behind, if there is one. */
  at(hash: number, avoid: ServerView | undefined): ServerView | undefined {
    if (this.#stale) this.#rebuild();
    const { length } = this.#table;
    if (length === 0) return undefined;
    const turn = (hash >>> 0) % length;
    const server = this.#serverAt(turn);
    if (server !== avoid || this.#servers.length === 1) return server;
    for (let next = turn + 1; next < turn + length; next++) {
      const other = this.#serverAt(next % length);
      if (other !== avoid) return other;
    }
    return server;
  }

  /**
   * The server of the next turn whose server has room; `avoid` only if it alone has.
   * @see HAProxy lb_map.c:map_get_server_rr
   */
  next(avoid: ServerView | undefined): ServerView | undefined {
    if (this.#stale) this.#rebuild();
    const { length } = this.#table;
    if (length === 0) return undefined;
    const cursor = this.#cursor;
    if (cursor.next >= length) cursor.next = 0;
    const first = cursor.next;
    let avoided = -1;
    let wrapped = false;
    for (let from = first; ; ) {
      const turn = from >= length ? -1 : this.#room ? this.#room.next(from) : from;
      if (turn === -1 && !wrapped) {
        wrapped = true;
        from = 0;
        continue;
      }
      if (turn === -1 || (wrapped && turn >= first)) break;
      const server = this.#serverAt(turn);
      if (server.saturated) this.slotsChanged(server);
      else if (server !== avoid) {
        cursor.next = turn + 1;
        return server;
      } else avoided = turn;
      from = turn + 1;
    }
    if (avoided === -1) return undefined;
    cursor.next = avoided + 1;
    return avoid;
  }

  /** What a walk would come to, which then has not been. */
  undone(walk: () => ServerView | undefined): ServerView | undefined {
    const { next } = this.#cursor;
    const server = walk();
    this.#cursor.next = next;
    return server;
  }

  #serverAt(turn: number): ServerView {
    return this.#servers[this.#table[turn] as number] as ServerView;
  }

  #rebuild(): void {
    this.#stale = false;
    this.#servers = this.#pool.servers.filter((server) => this.#members.has(server));
    this.#indexes = new Map(this.#servers.map((server, index) => [server, index]));
    this.#table = this.#build(this.#servers, this.#memory);
    this.#room = undefined;
    for (const server of this.#servers) if (server.saturated) this.slotsChanged(server);
  }
}

/** The turns whose servers have room. */
class Room {
  readonly #turns: BitSet;
  /** Turns by server, one server's behind another's; server i's begin at `#starts[i]`. */
  readonly #turnsOf: Uint32Array;
  readonly #starts: Uint32Array;
  readonly #full: Uint8Array;

  constructor(table: Uint32Array, servers: number) {
    this.#turns = new BitSet(table.length);
    this.#starts = new Uint32Array(servers + 1);
    this.#turnsOf = new Uint32Array(table.length);
    this.#full = new Uint8Array(servers);
    const ends = new Uint32Array(servers);
    for (const index of table) ends[index] = (ends[index] as number) + 1;
    for (let i = 0, sum = 0; i < servers; i++) {
      sum += ends[i] as number;
      this.#starts[i + 1] = sum;
      ends[i] = this.#starts[i] as number;
    }
    for (let turn = 0; turn < table.length; turn++) {
      const index = table[turn] as number;
      const place = ends[index] as number;
      this.#turnsOf[place] = turn;
      ends[index] = place + 1;
      this.#turns.add(turn);
    }
  }

  set(index: number, hasRoom: boolean): void {
    if ((this.#full[index] === 0) === hasRoom) return;
    this.#full[index] = hasRoom ? 0 : 1;
    const end = this.#starts[index + 1] as number;
    for (let i = this.#starts[index] as number; i < end; i++) {
      const turn = this.#turnsOf[i] as number;
      if (hasRoom) this.#turns.add(turn);
      else this.#turns.delete(turn);
    }
  }

  next(from: number): number {
    return this.#turns.next(from);
  }
}
