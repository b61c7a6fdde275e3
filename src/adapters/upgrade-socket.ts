import { EventEmitter } from 'node:events';
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** The protocol that an upgrade asks for; never HTTP/2, which is negotiated otherwise (RFC 9113 §3.1). */
export function protocolOf({ headers }: IncomingMessage): string | undefined {
  const protocols = (headers.upgrade ?? '').split(/[ \t]*,[ \t]*/);
  const kept = protocols.filter((protocol) => protocol !== '' && !/^h2c?$/i.test(protocol));
  return kept.length > 0 ? kept.join(', ') : undefined;
}

/**
 * A response on the raw socket of an upgrade: what is no 101 is an ordinary answer, after which the connection ends.
 * `undefined`, and the socket destroyed, where an earlier response still holds it: the client pipelined its upgrade.
 */
export function responseOn(request: IncomingMessage, socket: Duplex): ServerResponse | undefined {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  try {
    response.assignSocket(socket as Parameters<ServerResponse['assignSocket']>[0]);
  } catch {
    socket.destroy();
    return undefined;
  }
  response.once('finish', () => endSocket(socket));
  return response;
}

/** There is nobody whom the upgrade is for. */
export function refuseUpgrade(socket: Duplex): void {
  socket.write('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
  endSocket(socket);
}

/**
 * Lets the server read a request again, as one that asks for no upgrade: a server may ignore `Upgrade` (RFC 9110 §7.8), but
 * Node gives the request neither a body nor a response any more once somebody listens for upgrades.
 * @param server the server that has emitted the upgrade
 * @returns `false` when it cannot be
 */
export function readAsRequest(server: unknown, request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
  if (!(server instanceof EventEmitter) || server.listenerCount('request') === 0) return false;
  const response = responseOn(request, socket);
  if (!response) return true;
  response.removeAllListeners('finish');
  response.detachSocket(socket as Parameters<ServerResponse['detachSocket']>[0]);
  let text = `${request.method} ${request.url} HTTP/${request.httpVersion}\r\n`;
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i] as string;
    const value = withoutUpgrade(name.toLowerCase(), request.rawHeaders[i + 1] as string);
    if (value !== undefined) text += `${name}: ${value}\r\n`;
  }
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]));
  server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket);
  return true;
}

function withoutUpgrade(name: string, value: string): string | undefined {
  if (name === 'upgrade' || name === 'http2-settings') return undefined;
  if (name !== 'connection') return value;
  const kept = value.split(',').filter((option) => !/^[ \t]*(?:upgrade|http2-settings)?[ \t]*$/i.test(option));
  return kept.length > 0 ? kept.join(',') : undefined;
}

function endSocket(socket: Duplex): void {
  socket.end(() => socket.destroy());
}
