import { dialogueCheck, excerpt, failed, type Turn } from './dialogue.ts';
import type { CheckResult, HealthCheck } from './health-check.ts';

/** The options of a check that a server answers a TLS hello. HAProxy: `option ssl-hello-chk`. */
export interface SslHelloCheckOptions {
  readonly type: 'ssl-hello';
}

/** The cipher suites 0x01 to 0x1b and 0x2f to 0x3a. */
const SUITES = Array.from({ length: 0x3a }, (_, index) => index + 1).filter((suite) => suite <= 0x1b || suite >= 0x2f);

/**
 * ClientHello of SSLv3: any server that speaks TLS answers it, most of them with an alert. HAProxy says the time in it;
 * no server looks at that.
 */
export function clientHello(): Buffer {
  const suites = SUITES.map((suite) => suite.toString(16).padStart(4, '0')).join('');
  return Buffer.concat([
    Buffer.from('160300007901000075030000000000', 'hex'),
    Buffer.from('HAPROXYSSLCHK\nHAPROXYSSLCHK\n'),
    Buffer.from(`00004e${suites}0100`, 'hex'),
  ]);
}

const ALERT = 0x15;
const HANDSHAKE = 0x16;

export function readHello(reply: Buffer): CheckResult | undefined {
  if (reply[0] !== ALERT && reply[0] !== HANDSHAKE) return failed('L6RSP', `not TLS: ${excerpt(reply)}`);
  return reply.length < 5 ? undefined : { result: 'passed', code: 'L6OK', description: '' };
}

const hello: Turn = { send: clientHello(), awaits: 'the answer to the hello', read: readHello };

const overPlainTcp = dialogueCheck(() => [hello], { reset: true, invalidCode: 'L6RSP', timeoutCode: 'L6TOUT' });

/** The hello is all there is of TLS here: an `https:` address is connected to without. */
export const sslHelloCheck: HealthCheck = {
  run: (probe, onResult) => overPlainTcp.run({ ...probe, target: { ...probe.target, tls: undefined } }, onResult),
};
