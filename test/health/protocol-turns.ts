import type net from 'node:net';
import type { TestContext } from 'node:test';
import type { CheckResult } from '#src/health/health-check.ts';
import type { CheckDefinition } from '#src/health/index.ts';
import { type Listener, listen } from './probing.ts';

/** What a client must say, byte for byte, and what it is told then. */
export interface ServerTurn {
  readonly hears?: Buffer;
  readonly says: Buffer;
}

/** One exchange of a check with a server that is well. */
export interface Exchange {
  readonly name: string;
  readonly check: CheckDefinition;
  readonly turns: readonly ServerTurn[];
  readonly passes: CheckResult;
  /** The code of an answer that is cut or never ends, and of none in time. */
  readonly invalid: CheckResult['code'];
  readonly silent: CheckResult['code'];
  /** The beginning of an answer, and what could follow for ever. */
  readonly endless: readonly [first: Buffer, more: Buffer];
}

export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
export const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

const L7OK = { result: 'passed', code: 'L7OK', status: undefined } as const;
const USUAL = { invalid: 'L7RSP', silent: 'L7TOUT' } as const;

/** Protocol 10, version 8.0.36, and the rest of a greeting of MySQL. */
export const MYSQL_GREETING: Buffer = Buffer.concat([
  hex('2c000000 0a'),
  latin1('8.0.36\0'),
  hex('07000000 0102030405060708 00 ff82 21 0200 0000 15 00000000000000000000 090a0b0c00'),
]);
const MYSQL_OK = hex('07000002 00 00 00 0200 0000');
const MYSQL_ENDLESS = [hex('f03f0000 0a'), latin1('x')] as const;

/** max-frame-size of 16,380, in HAProxy's integers. */
const SPOP_ITEMS = Buffer.concat([
  latin1('\x07version\x08\x032.0\x0emax-frame-size\x03'),
  hex('fcf006'),
  latin1('\x0ccapabilities\x08\x00'),
]);

/** The frame of that type with these items. */
export function spopFrame(type: number, items: Buffer): Buffer {
  const head = Buffer.alloc(11);
  head.writeUInt32BE(7 + items.length, 0);
  head[4] = type;
  head.writeUInt32BE(1, 5);
  return Buffer.concat([head, items]);
}

export const EXCHANGES: readonly Exchange[] = [
  {
    name: 'redis',
    check: { type: 'redis' },
    turns: [{ hears: latin1('*1\r\n$4\r\nPING\r\n'), says: latin1('+PONG\r\n') }],
    passes: { ...L7OK, description: 'Redis server is ok' },
    ...USUAL,
    endless: [latin1('-ERR'), latin1(' for ever')],
  },
  {
    name: 'smtp',
    check: { type: 'smtp' },
    turns: [
      { says: latin1('220 mx.example ESMTP\r\n') },
      { hears: latin1('HELO localhost\r\n'), says: latin1('250 mx.example\r\n') },
      { hears: latin1('QUIT\r\n'), says: latin1('221 2.0.0 Bye\r\n') },
    ],
    passes: { ...L7OK, status: 221, description: '2.0.0 Bye' },
    ...USUAL,
    endless: [latin1('220-first\r\n'), latin1('220-more to come\r\n')],
  },
  {
    name: 'smtp with EHLO',
    check: { type: 'smtp', hello: 'EHLO', domain: 'lb.example' },
    turns: [
      { says: latin1('220-mx.example\r\n220 ESMTP\r\n') },
      { hears: latin1('EHLO lb.example\r\n'), says: latin1('250-mx.example\r\n250-SIZE 1000\r\n250 HELP\r\n') },
      { hears: latin1('QUIT\r\n'), says: latin1('221\r\n') },
    ],
    passes: { ...L7OK, status: 221, description: '' },
    ...USUAL,
    endless: [latin1('220-first\r\n'), latin1('220-more to come\r\n')],
  },
  {
    name: 'pgsql',
    check: { type: 'pgsql', user: 'haproxy' },
    turns: [
      {
        hears: hex('00000016 00030000 7573657200 686170726f787900 00'),
        says: hex('52 0000000c 00000005'),
      },
    ],
    passes: { ...L7OK, description: 'PostgreSQL server is ok' },
    ...USUAL,
    endless: [hex('45 00003ff0 53'), latin1('FATAL')],
  },
  {
    name: 'mysql',
    check: { type: 'mysql' },
    turns: [{ says: MYSQL_GREETING }],
    passes: { ...L7OK, description: '8.0.36' },
    ...USUAL,
    endless: MYSQL_ENDLESS,
  },
  {
    name: 'mysql with a user',
    check: { type: 'mysql', user: 'haproxy' },
    turns: [
      { says: MYSQL_GREETING },
      {
        hears: hex(`29000001 00820000 00800001 21 ${'00'.repeat(23)} 686170726f7879 00 00 01000000 01`),
        says: MYSQL_OK,
      },
    ],
    passes: { ...L7OK, description: '8.0.36' },
    ...USUAL,
    endless: MYSQL_ENDLESS,
  },
  {
    name: 'mysql before 4.1',
    check: { type: 'mysql', user: 'haproxy', client: 'pre-41' },
    turns: [
      { says: MYSQL_GREETING },
      { hears: hex('0e000001 0080 000001 686170726f7879 00 00 01000000 01'), says: MYSQL_OK },
    ],
    passes: { ...L7OK, description: '8.0.36' },
    ...USUAL,
    endless: MYSQL_ENDLESS,
  },
  {
    name: 'mysql from 8.0 on',
    check: { type: 'mysql', user: 'haproxy', client: 'post-80' },
    turns: [
      { says: MYSQL_GREETING },
      {
        hears: Buffer.concat([
          hex(`3f000001 00820800 00800001 21 ${'00'.repeat(23)} 686170726f7879 00 00`),
          latin1('mysql_native_password\0'),
          hex('01000000 01'),
        ]),
        says: MYSQL_OK,
      },
    ],
    passes: { ...L7OK, description: '8.0.36' },
    ...USUAL,
    endless: MYSQL_ENDLESS,
  },
  {
    name: 'ldap',
    check: { type: 'ldap' },
    turns: [{ hears: hex('300c 020101 6007 020103 0400 8000'), says: hex('300c 020101 6107 0a0100 0400 0400') }],
    passes: { ...L7OK, description: 'Success' },
    ...USUAL,
    endless: [hex('3082 3ff0 020101'), hex('00')],
  },
  {
    name: 'ssl-hello',
    check: { type: 'ssl-hello' },
    turns: [
      {
        hears: Buffer.concat([
          hex('16 0300 0079 01 000075 0300 00000000'),
          latin1('HAPROXYSSLCHK\nHAPROXYSSLCHK\n'),
          hex(`00 004e
            0001 0002 0003 0004 0005 0006 0007 0008 0009 000a 000b 000c 000d 000e 000f 0010 0011 0012 0013 0014 0015
            0016 0017 0018 0019 001a 001b 002f 0030 0031 0032 0033 0034 0035 0036 0037 0038 0039 003a 01 00`),
        ]),
        says: hex('15 0300 0002'),
      },
    ],
    passes: { result: 'passed', code: 'L6OK', description: '' },
    invalid: 'L6RSP',
    silent: 'L6TOUT',
    endless: [latin1('no TLS'), latin1(' at all')],
  },
  {
    name: 'spop',
    check: { type: 'spop' },
    turns: [
      {
        hears: hex(`0000004e 01 00000001 00 00
          12 737570706f727465642d76657273696f6e73 0803322e30
          0e 6d61782d6672616d652d73697a65 03fcf006
          0c 6361706162696c6974696573 0800
          0b 6865616c7468636865636b 11`),
        says: spopFrame(101, SPOP_ITEMS),
      },
    ],
    passes: { ...L7OK, description: 'SPOA server is ok' },
    ...USUAL,
    endless: [hex('00003ff0 65 00000001 0000'), hex('00')],
  },
];

/** Plays the server's part: takes as many bytes as it should hear, whatever they are, and answers. */
export class ScriptedServer {
  readonly #turns: readonly ServerTurn[];
  readonly #say: (socket: net.Socket, bytes: Buffer) => void;
  readonly #whole = Promise.withResolvers<readonly Buffer[]>();
  /** What the first client said in each turn, for the first time that all were played. */
  readonly heard: Promise<readonly Buffer[]> = this.#whole.promise;

  constructor(turns: readonly ServerTurn[], say: (socket: net.Socket, bytes: Buffer) => void) {
    this.#turns = turns;
    this.#say = say;
  }

  /** What a client should say in each turn. */
  get expected(): Buffer[] {
    return this.#turns.map(({ hears = Buffer.alloc(0) }) => hears);
  }

  listen(t: TestContext): Promise<Listener> {
    return listen(t, (socket) => this.#serve(socket));
  }

  #serve(socket: net.Socket): void {
    socket.setNoDelay();
    let waiting = Buffer.alloc(0);
    const heard: Buffer[] = [];
    const goOn = (): void => {
      for (let turn = this.#turns[heard.length]; turn; turn = this.#turns[heard.length]) {
        const length = turn.hears?.length ?? 0;
        if (waiting.length < length) return;
        heard.push(waiting.subarray(0, length));
        waiting = waiting.subarray(length);
        this.#say(socket, turn.says);
      }
    };
    socket.on('data', (bytes) => {
      waiting = Buffer.concat([waiting, bytes]);
      goOn();
    });
    socket.on('close', () => {
      if (heard.length === this.#turns.length) this.#whole.resolve(waiting.length === 0 ? heard : [...heard, waiting]);
    });
    goOn();
  }
}
