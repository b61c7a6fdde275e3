import { serverName } from '../connections/dial.ts';
import type { HealthCheck } from './health-check.ts';
import { ProbeConnection, type ProbeProtocol } from './probe-connection.ts';

/** The options of a check that only connects. */
export interface TcpCheckOptions {
  readonly type: 'tcp';
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
