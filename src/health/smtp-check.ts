import type { OptionReader } from '../core/options.ts';
import { dialogueCheck, excerpt, failed, passed, type Turn } from './dialogue.ts';
import { type CheckResult, type HealthCheck, oneLine } from './health-check.ts';

/** The options of a check that a mail server greets, and says good-bye. HAProxy: `option smtpchk [<hello> <domain>]`. */
export interface SmtpCheckOptions {
  readonly type: 'smtp';
  /** The command after the greeting. Default: `'HELO'`. */
  readonly hello?: 'HELO' | 'EHLO';
  /** The name that we give ourselves in it: letters, digits and `.-_:[]`. Default: `'localhost'`. */
  readonly domain?: string;
}

const DOMAIN = /^[\w.:[\]-]{1,255}$/;

export function readSmtpCheck(read: OptionReader): HealthCheck {
  const hello = read.oneOf('hello', ['HELO', 'EHLO'], { default: 'HELO' });
  const allowed = 'the name of a host: 1 to 255 letters, digits and .-_:[]';
  const domain = read.string('domain', { default: 'localhost', allowed, test: DOMAIN });
  const turns: readonly Turn[] = [
    { awaits: 'the greeting', read: (reply) => readReply(reply, 'the greeting') },
    turn(hello, Buffer.from(`${hello} ${domain}\r\n`)),
    turn('QUIT', Buffer.from('QUIT\r\n')),
  ];
  return dialogueCheck(() => turns, { reset: false });
}

function turn(command: string, send: Buffer): Turn {
  const awaits = `the answer to ${command}`;
  return { send, awaits, read: (reply) => readReply(reply, awaits) };
}

/** A line that is not the last one has `-` behind its code; RFC 5321 §4.2. */
const LINE = /^(\d{3})([ -][^\r]*)?$/;

/** Reads one reply of one or more lines; passes with 2xx. */
export function readReply(reply: Buffer, what: string): CheckResult | undefined {
  const lines = reply.toString().split('\n');
  const rest = lines.pop();
  for (const line of lines) {
    const [, code = '', text = ''] = LINE.exec(line.replace(/\r$/, '')) ?? [];
    if (code === '') return failed('L7RSP', `${what} is not SMTP: ${excerpt(reply)}`);
    if (text.startsWith('-')) continue;
    const description = oneLine(text);
    return code.startsWith('2')
      ? passed(description, Number(code))
      : failed('L7STS', `${what}: ${code} ${description}`.trimEnd(), Number(code));
  }
  // No need to wait for the end of a line that cannot be one.
  return rest !== undefined && !/^\d{0,3}$|^\d{3}[ \r-]/.test(rest)
    ? failed('L7RSP', `${what} is not SMTP: ${excerpt(reply)}`)
    : undefined;
}
