import { dialogueCheck, excerpt, failed, passed, type Turn } from './dialogue.ts';
import { type CheckResult, type HealthCheck, oneLine } from './health-check.ts';

/** The options of a check that a Redis server answers PING. HAProxy: `option redis-check`. */
export interface RedisCheckOptions {
  readonly type: 'redis';
}

const PONG = '+PONG\r\n';

const ping: Turn = { send: Buffer.from('*1\r\n$4\r\nPING\r\n'), awaits: 'the answer to PING', read: readPong };

/** An error such as `-NOAUTH …` or `-LOADING …` is told once its line is whole. */
export function readPong(reply: Buffer): CheckResult | undefined {
  const text = reply.toString();
  if (text.startsWith(PONG)) return passed('Redis server is ok');
  if (PONG.startsWith(text)) return undefined;
  if (!text.startsWith('-')) return failed('L7STS', `not the answer of a Redis server: ${excerpt(reply)}`);
  const end = text.indexOf('\r\n');
  return end === -1 ? undefined : failed('L7STS', oneLine(text.slice(0, end)));
}

export const redisCheck: HealthCheck = dialogueCheck(() => [ping], { reset: true });
