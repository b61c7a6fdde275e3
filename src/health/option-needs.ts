import type { OptionReader } from '../core/options.ts';
import type { Address } from '../servers/address.ts';
import type { CheckSettings, HealthOptions } from './settings.ts';

/** A server as its options came out, with what `defaultServer` says. */
export interface CheckedServer extends CheckSettings {
  readonly address: Pick<Address, 'tls'>;
}

/** Options that do nothing for a server which does not have what they need. */
interface Need {
  readonly options: readonly (keyof HealthOptions)[];
  /** The option that turns on what they need. Where it is written, and off, they may wait for it. */
  readonly turnedOnBy: keyof HealthOptions;
  readonly isMet: (server: CheckedServer) => boolean;
  readonly why: string;
}

/** HAProxy takes all of these in silence, but for `check-proto`. */
const NEEDS: readonly Need[] = [
  {
    options: ['observe'],
    turnedOnBy: 'check',
    isMet: ({ check }) => check !== undefined,
    why: "needs a 'check' other than an agent: what requests meet counts beside its results",
  },
  {
    options: ['errorLimit', 'onError'],
    turnedOnBy: 'observe',
    isMet: ({ check, observe }) => check !== undefined && observe !== 'none',
    why: "needs 'observe', and with it a 'check' other than an agent",
  },
  {
    options: ['agentPort', 'agentAddr', 'agentInter', 'agentSend'],
    turnedOnBy: 'agentCheck',
    isMet: ({ agent }) => agent !== undefined && !agent.inPlace,
    why: "needs 'agentCheck: true'; an agent that is the 'check' itself has its options there, and 'inter'",
  },
  {
    options: ['inter'],
    turnedOnBy: 'check',
    isMet: ({ check, agent }) => check !== undefined || agent?.inPlace === true,
    why: "needs a 'check'; an agent beside a server is asked every 'agentInter'",
  },
  {
    options: ['fastinter', 'downinter', 'rise', 'fall'],
    turnedOnBy: 'check',
    isMet: ({ check }) => check !== undefined,
    why: "needs a 'check' other than an agent",
  },
  {
    options: ['initState'],
    turnedOnBy: 'check',
    isMet: ({ check, agent }) => check !== undefined || agent !== undefined,
    why: "needs a 'check' or 'agentCheck': nothing else would ever change that state",
  },
  {
    options: ['addr'],
    turnedOnBy: 'check',
    isMet: (server) => connects(server) || server.agent !== undefined,
    why: "needs a 'check' other than a function, or 'agentCheck'",
  },
  {
    options: ['port', 'checkSsl', 'checkSendProxy'],
    turnedOnBy: 'check',
    isMet: connects,
    why: "needs a 'check' other than an agent or a function",
  },
  {
    options: ['checkSni', 'checkAlpn'],
    turnedOnBy: 'check',
    isMet: (server) => connects(server) && speaksTls(server),
    why: "needs a 'check' over TLS: to an https: address (without 'addr' and 'port'), or with 'checkSsl: true'",
  },
  {
    options: ['checkProto', 'checkReusePool'],
    turnedOnBy: 'check',
    isMet: ({ check }) => check?.overHttp === true,
    why: "needs a 'check' over HTTP: { type: 'http', … }, or the pool's 'httpchk' and 'check: true'",
  },
];

/** Where a server tracks another one, none of these means anything. */
export const OF_CHECKS: readonly (keyof HealthOptions)[] = [
  'check',
  'agentCheck',
  ...NEEDS.flatMap(({ options }) => options),
];

/**
 * Refuses options that do nothing for any of these servers.
 * @param read where the options are written: at a server, or in `defaultServer`
 * @param servers that server, or those that have it as their defaults
 */
export function refuseIdle(read: OptionReader, servers: readonly CheckedServer[]): void {
  for (const { options, turnedOnBy, isMet, why } of NEEDS) {
    if (isTurnedOff(read, turnedOnBy) || servers.some(isMet)) continue;
    for (const option of options) if (isTurnedOn(read, option)) read.reject(option, why);
  }
}

/** Whether an option is written here, and with a value that asks for something. */
export function isTurnedOn(read: OptionReader, option: string): boolean {
  return read.has(option) && !isTurnedOff(read, option);
}

function isTurnedOff(read: OptionReader, option: string): boolean {
  const value = read.any(option);
  return value === false || value === 'none';
}

function connects({ check }: CheckedServer): boolean {
  return check !== undefined && !check.isFunction;
}

function speaksTls({ address, check, checkTarget: { ssl, addr, port } }: CheckedServer): boolean {
  return check?.usesTls === true || (ssl ?? (address.tls && (addr ?? port) === undefined));
}
