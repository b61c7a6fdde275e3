import type { OptionReader } from '../core/options.ts';
import { type Address, hostPort, parseAddress } from '../servers/address.ts';
import { agentResult, parseAgentReply } from './agent-reply.ts';
import type { CheckResult, HealthCheck } from './health-check.ts';
import { ProbeConnection, type ProbeProtocol } from './probe-connection.ts';

/** The options of a check that asks an agent beside the server. */
export interface AgentCheckOptions {
  readonly type: 'agent';
  /** Port of the agent, 1 to 65,535. Must be given. */
  readonly port: number;
  /** Host name or IP address of the agent. Default: the server's `addr`, else its own. */
  readonly addr?: string;
  /** Text to send first, with a line end of its own where the agent wants one. Default: none. */
  readonly send?: string;
}

/** Where an agent listens, and what it is sent. */
export interface AgentTarget {
  readonly host: string | undefined;
  readonly port: number;
  readonly send: string;
}

/** Longest line that is read of an agent, in bytes. HAProxy: `tune.bufsize`. */
const LONGEST_LINE = 16_384;

const INCOMPLETE: CheckResult = {
  result: 'neutral',
  code: 'CHECKED',
  description: 'the agent sent no complete line; ignored',
};

export function readAgentCheck(read: OptionReader): HealthCheck | undefined {
  const host = readAgentHost(read, 'addr');
  const port = readAgentPort(read, 'port');
  const send = readAgentText(read, 'send');
  if (port === undefined) {
    if (!read.has('port')) read.reject('port', 'is missing; allowed: an integer from 1 to 65535');
    return undefined;
  }
  return agentCheck({ host, port, send });
}

export function readAgentHost(read: OptionReader, key: string): string | undefined {
  return read.read(key, undefined, "a host name or an IP address: '127.0.0.1'", (value) =>
    typeof value === 'string' && addressOf(value, 1) ? value : undefined,
  );
}

export function readAgentPort(read: OptionReader, key: string): number | undefined {
  return read.integer(key, { default: undefined, min: 1, max: 65_535 });
}

export function readAgentText(read: OptionReader, key: string): string {
  return read.string(key, { default: '', allowed: 'a text of 1 to 16384 characters', test: /^[\s\S]{1,16384}$/ });
}

/** Asks the agent over plain TCP for one line, and gives what it says. */
export function agentCheck({ host, port, send }: AgentTarget): HealthCheck {
  return {
    asksAgent: true,
    run(probe, onResult) {
      const address = addressOf(host ?? probe.target.address.host, port) ?? probe.target.address;
      const target = { address, tls: undefined };
      return new ProbeConnection({ ...probe, target }, undefined, new AgentProbe(send), onResult).cancel;
    },
  };
}

class AgentProbe implements ProbeProtocol {
  readonly reset = false;
  readonly #send: string;
  /** A character for each byte: one of UTF-8 may come in two pieces. */
  #line = '';

  constructor(send: string) {
    this.#send = send;
  }

  onReady(connection: ProbeConnection): undefined {
    if (this.#send !== '') connection.send(Buffer.from(this.#send));
  }

  onBytes(buffer: Buffer, length: number): CheckResult | undefined {
    this.#line += buffer.toString('latin1', 0, Math.min(length, LONGEST_LINE - this.#line.length));
    const end = this.#line.search(/[\r\n]/);
    if (end !== -1) return agentResult(parseAgentReply(Buffer.from(this.#line.slice(0, end), 'latin1').toString()));
    return this.#line.length < LONGEST_LINE ? undefined : INCOMPLETE;
  }

  onClosed(): CheckResult {
    return INCOMPLETE;
  }
}

function addressOf(host: string, port: number): Address | undefined {
  return parseAddress(hostPort(host, port));
}
