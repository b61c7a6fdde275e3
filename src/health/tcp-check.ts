import { serverName } from '../connections/dial.ts';
import type { OptionReader } from '../core/options.ts';
import type { HealthCheck } from './health-check.ts';
import { ProbeConnection, type ProbeProtocol } from './probe-connection.ts';
import { readTcpSteps, type TcpStep } from './tcp-steps.ts';

/** A check over TCP. HAProxy: `option tcp-check`. */
export interface TcpCheckOptions {
  /** It need not be said where `steps` are given. */
  readonly type: 'tcp';
  /** What is sent and expected, one after the other, over one or more connections. Default: it only connects. */
  readonly steps?: readonly TcpStep[];
}

const connectOnly: ProbeProtocol = {
  reset: true,
  onReady: ({ overTls }) => ({ result: 'passed', code: overTls ? 'L6OK' : 'L4OK', description: '' }),
};

/**
 * Passes once the server can be connected to (L4OK), and over TLS once the handshake is done (L6OK). Nothing is sent.
 * @see HAProxy `check` without a check option of the backend
 */
export const tcpCheck: HealthCheck = {
  run: (probe, onResult) =>
    new ProbeConnection(probe, serverName(probe.target, undefined), connectOnly, onResult).cancel,
};

export function readTcpCheck(read: OptionReader): HealthCheck {
  return read.has('steps') ? readTcpSteps(read) : tcpCheck;
}
