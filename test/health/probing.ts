import { once } from 'node:events';
import net from 'node:net';
import type { TestContext } from 'node:test';
import tls from 'node:tls';
import { generate } from 'selfsigned';
import { Dialer, type TlsSettings } from '#src/connections/dial.ts';
import { type Environment, systemEnvironment } from '#src/core/environment.ts';
import { OptionReader } from '#src/core/options.ts';
import type { CheckTarget } from '#src/health/check-target.ts';
import type { CheckResult, HealthCheck } from '#src/health/health-check.ts';
import { type CheckDefinition, readCheck } from '#src/health/index.ts';
import { type Address, parseAddress } from '#src/servers/address.ts';
import { Server } from '#src/servers/server.ts';
import { serverSettings } from '../support/make-server.ts';

/** A server of a test on a port of its own (or a path), stopped with the test. */
export class Listener {
  readonly address: Address;
  readonly #closures: AsyncIterator<void>;

  constructor(address: Address, closures: AsyncIterator<void>) {
    this.address = address;
    this.#closures = closures;
  }

  /** Waits for the next connection, in order, and until it is closed: nothing of a probe may stay behind. */
  async closed(): Promise<void> {
    await this.#closures.next();
  }
}

/** @param handler gets each connection; errors on it are ignored */
export async function listen(
  t: TestContext,
  handler: (socket: net.Socket) => void,
  { tlsOptions, path }: { tlsOptions?: tls.TlsOptions; path?: string } = {},
): Promise<Listener> {
  const open = new Set<net.Socket>();
  const closures: Promise<void>[] = [];
  const server = tlsOptions ? tls.createServer(tlsOptions) : net.createServer();
  server.on('connection', (socket: net.Socket) => {
    open.add(socket);
    socket.on('error', () => {});
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    closures.push(closed);
    void closed.then(() => open.delete(socket));
  });
  server.on(tlsOptions ? 'secureConnection' : 'connection', (socket: net.Socket) => {
    socket.on('error', () => {});
    handler(socket);
  });
  server.on('tlsClientError', () => {});
  server.listen(path === undefined ? { host: '127.0.0.1', port: 0 } : { path });
  await once(server, 'listening');
  t.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  const at = server.address();
  const url = typeof at === 'string' ? `unix:${at}` : `${tlsOptions ? 'https' : 'http'}://127.0.0.1:${at?.port}`;
  return new Listener(addressOf(url), inOrder(server, closures));
}

async function* inOrder(server: net.Server, closures: readonly Promise<void>[]): AsyncGenerator<void> {
  for (let index = 0; ; index++) {
    while (closures.length <= index) await once(server, 'connection');
    yield closures[index];
  }
}

export function addressOf(url: string): Address {
  const address = parseAddress(url);
  if (address === undefined) throw new Error(`${url} is no address`);
  return address;
}

/** A port on which nothing listens. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A certificate for 127.0.0.1 that signs itself. */
export async function certificate(): Promise<{ key: string; cert: string }> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    keySize: 2048,
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  });
  return { key, cert };
}

const TRUSTING_NOBODY: TlsSettings = {
  ca: undefined,
  cert: undefined,
  key: undefined,
  verify: true,
  verifyhost: undefined,
  sni: undefined,
  alpn: ['http/1.1'],
};

export function targetOf(address: Address, settings: Partial<TlsSettings> | undefined = undefined): CheckTarget {
  return { address, tls: settings || address.tls ? { ...TRUSTING_NOBODY, ...settings } : undefined };
}

/** The check that a server's option `check` gives. */
export function checkOf(definition: CheckDefinition): HealthCheck {
  const read = new OptionReader({ check: definition }, 'server');
  const check = readCheck(read, { named: new Map(), httpchk: undefined, externalCheck: true, used: new Set() });
  read.throwFaults();
  if (!check) throw new Error('no check');
  return check;
}

interface Limits {
  readonly environment?: Environment;
  readonly dialer?: Dialer;
  readonly connectMs?: number;
  readonly answerMs?: number;
  readonly report?: (sample: string, error: unknown) => void;
}

/** A probe under way, and what came of it. */
export interface RunningProbe {
  readonly result: Promise<CheckResult>;
  /** How often it called back: once, or never after a cancel. */
  readonly calls: () => number;
  readonly cancel: () => void;
}

export function start(
  check: HealthCheck,
  target: CheckTarget,
  {
    environment = systemEnvironment,
    dialer = new Dialer(environment),
    connectMs = 20_000,
    answerMs,
    report,
  }: Limits = {},
): RunningProbe {
  const { promise, resolve } = Promise.withResolvers<CheckResult>();
  const server = new Server(1, 's1', target.address, serverSettings());
  let calls = 0;
  const cancel = check.run({ server, target, dialer, environment, connectMs, answerMs, report }, (result) => {
    calls++;
    resolve(result);
  });
  if (calls > 0) throw new Error('the probe called back before it returned');
  return { result: promise, calls: () => calls, cancel };
}

/** Runs one probe to its end, and sees to it that its connections are closed. */
export async function probe(
  check: HealthCheck,
  listener: Listener,
  target: CheckTarget = targetOf(listener.address),
): Promise<CheckResult> {
  const { result, calls } = start(check, target);
  const verdict = await result;
  await listener.closed();
  if (calls() !== 1) throw new Error(`the probe called back ${calls()} times`);
  return verdict;
}
