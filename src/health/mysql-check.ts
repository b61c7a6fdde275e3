import type { OptionReader } from '../core/options.ts';
import { dialogueCheck, excerpt, failed, LONGEST_ANSWER, passed, type Turn } from './dialogue.ts';
import { type CheckResult, type HealthCheck, oneLine } from './health-check.ts';

/** The options of a check that a MySQL or MariaDB server greets, and lets a user in. HAProxy: `option mysql-check [user <user> [<client>]]`. */
export interface MysqlCheckOptions {
  readonly type: 'mysql';
  /** Who logs in, without a password. Default: none, the greeting is enough; the server then counts a failed connection. */
  readonly user?: string;
  /** The client that the login is one of: before MySQL 4.1, from 4.1 on, or from 8.0 on. Default: `'post-41'`. */
  readonly client?: MysqlClient;
}

type MysqlClient = 'pre-41' | 'post-41' | 'post-80';

const USER = 'the name of a user: 1 to 255 characters';

export function readMysqlCheck(read: OptionReader): HealthCheck {
  const user = read.string('user', { default: undefined, allowed: USER, test: /^[^\0]{1,255}$/ });
  const client = read.oneOf('client', ['pre-41', 'post-41', 'post-80'], { default: 'post-41' });
  if (user === undefined && read.has('client')) read.reject('client', 'needs `user`');
  const login = user === undefined ? undefined : loginPacket(user, client);
  return dialogueCheck(() => turns(login), { reset: false });
}

/** Both pass with the version of the greeting. */
function turns(login: Buffer | undefined): Turn[] {
  let greeting: CheckResult | undefined;
  const greet: Turn = {
    awaits: 'the greeting',
    read(reply) {
      greeting = readGreeting(reply);
      return greeting;
    },
  };
  if (!login) return [greet];
  return [
    greet,
    {
      send: login,
      awaits: 'the answer to the login',
      read: (reply) => readLoginAnswer(reply, greeting?.description ?? ''),
    },
  ];
}

const NATIVE_PASSWORD = Buffer.from('mysql_native_password\0');
/** The command that ends a connection. */
const COM_QUIT = Buffer.from([1, 0, 0, 0, 1]);

/** A login without a password, and COM_QUIT behind it. HAProxy: tcpcheck.c:do_parse_mysql_check_opt. */
export function loginPacket(user: string, client: MysqlClient): Buffer {
  const name = Buffer.from(`${user}\0\0`);
  const before = {
    'pre-41': [Buffer.from('0080000001', 'hex'), name],
    'post-41': [Buffer.from('008200000080000121', 'hex'), Buffer.alloc(23), name],
    'post-80': [Buffer.from('008208000080000121', 'hex'), Buffer.alloc(23), name, NATIVE_PASSWORD],
  }[client];
  const payload = Buffer.concat(before);
  const head = Buffer.alloc(4);
  head.writeUIntLE(payload.length, 0, 3);
  head[3] = 1;
  return Buffer.concat([head, payload, COM_QUIT]);
}

/** Reads the server's first packet, and passes with its version. */
export function readGreeting(reply: Buffer): CheckResult | undefined {
  const packet = readPacket(reply, 0);
  if (!packet || 'result' in packet) return packet;
  const end = packet.indexOf(0, 1);
  if ((packet[0] !== 9 && packet[0] !== 10) || end === -1) return notMysql(reply);
  return passed(oneLine(packet.toString('utf8', 1, end)));
}

/** OK, or a request for more of an authentication: the server lives, and knows of no error. */
const ACCEPTED: readonly (number | undefined)[] = [0x00, 0x01, 0xfe];

export function readLoginAnswer(reply: Buffer, version: string): CheckResult | undefined {
  const packet = readPacket(reply, 2);
  if (!packet || 'result' in packet) return packet;
  return ACCEPTED.includes(packet[0]) ? passed(version) : notMysql(reply);
}

/** The payload of a packet, once it is whole, or what is wrong: an error that the server tells, or no packet at all. */
function readPacket(reply: Buffer, sequence: number): Buffer | CheckResult | undefined {
  if (reply.length < 4) return undefined;
  const length = reply.readUIntLE(0, 3);
  if (length === 0 || length > LONGEST_ANSWER - 4) return notMysql(reply);
  const packet = reply.subarray(4, 4 + length);
  // A server that refuses may begin to count anew.
  if (packet[0] !== 0xff && reply[3] !== sequence) return packet.length === 0 ? undefined : notMysql(reply);
  if (packet.length < length) return undefined;
  return packet[0] === 0xff ? readError(packet) : packet;
}

/** 0xff, the error's number, from 4.1 on `#` and five letters of SQL state, and words. */
function readError(packet: Buffer): CheckResult {
  if (packet.length < 3) return failed('L7STS', 'an error without a number');
  const number = packet.readUInt16LE(1);
  const words = packet.toString('utf8', packet[3] === 0x23 ? 9 : 3);
  return failed('L7STS', oneLine(`error ${number}: ${words}`), number);
}

function notMysql(reply: Buffer): CheckResult {
  return failed('L7RSP', `not the answer of a MySQL server: ${excerpt(reply)}`);
}
