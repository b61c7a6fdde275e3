import type { OptionReader } from '../core/options.ts';
import { dialogueCheck, excerpt, failed, LONGEST_ANSWER, passed } from './dialogue.ts';
import { type CheckResult, type HealthCheck, oneLine } from './health-check.ts';

/** The options of a check that a PostgreSQL server lets a user begin. HAProxy: `option pgsql-check user <user>`. */
export interface PgsqlCheckOptions {
  readonly type: 'pgsql';
  /** Whom the server is asked to let in; being asked for a password is a pass. Required. */
  readonly user: string;
}

export function readPgsqlCheck(read: OptionReader): HealthCheck {
  const user = read.string('user', { default: undefined, allowed: USER, test: /^[^\0]{1,255}$/ });
  if (!read.has('user')) read.reject('user', `is missing; allowed: ${USER}`);
  const send = startupMessage(user ?? '');
  return dialogueCheck(() => [{ send, awaits: 'the answer to the startup message', read: readAuthentication }], {
    reset: false,
  });
}

const USER = 'the name of a user: 1 to 255 characters';

/** Protocol 3.0, with the user as the one parameter. */
export function startupMessage(user: string): Buffer {
  const name = Buffer.from(user);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(15 + name.length, 0);
  head.writeUInt32BE(0x0003_0000, 4);
  return Buffer.concat([head, Buffer.from('user\0'), name, Buffer.alloc(2)]);
}

/** Kinds of authentication request: none, Kerberos, password, crypt, MD5, SCM, GSSAPI, SSPI, SASL. */
const REQUESTS: readonly number[] = [0, 2, 3, 4, 5, 6, 7, 9, 10];

/** Any request for authentication will do, as for HAProxy. */
export function readAuthentication(reply: Buffer): CheckResult | undefined {
  const kind = reply[0];
  if (kind === ERROR) return readError(reply);
  if (kind !== REQUEST) return failed('L7STS', `not the answer of a PostgreSQL server: ${excerpt(reply)}`);
  if (reply.length < 9) return undefined;
  const known = reply.readUInt32BE(1) <= 0xff && REQUESTS.includes(reply.readUInt32BE(5));
  return known ? passed('PostgreSQL server is ok') : failed('L7STS', `PostgreSQL unknown error: ${excerpt(reply)}`);
}

const ERROR = 0x45;
const REQUEST = 0x52;

/** ErrorResponse: fields of a letter and a text, each ended by a NUL. */
function readError(reply: Buffer): CheckResult | undefined {
  if (reply.length < 5) return undefined;
  const end = 1 + reply.readUInt32BE(1);
  if (end < 5 || end > LONGEST_ANSWER)
    return failed('L7RSP', `not the answer of a PostgreSQL server: ${excerpt(reply)}`);
  if (reply.length < end) return undefined;
  const fields = new Map(
    reply
      .toString('utf8', 5, end)
      .split('\0')
      .map((field) => [field.slice(0, 1), field.slice(1)]),
  );
  const words = [fields.get('S'), fields.get('M')].filter((word) => word !== undefined).join(': ');
  return failed('L7RSP', oneLine(words) || 'an error without words');
}
