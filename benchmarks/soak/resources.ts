import { readdirSync, readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';

/** Keeps the set of sockets that `subscribe` tells of and that are open. */
export function gatherSockets(subscribe: (add: (socket: Socket) => void) => void): ReadonlySet<Socket> {
  const open = new Set<Socket>();
  subscribe((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return open;
}

/** Most listeners on one of these sockets. */
export function mostListeners(sockets: Iterable<Socket>): number {
  let most = 0;
  for (const socket of sockets)
    most = Math.max(
      most,
      socket.eventNames().reduce((total, event) => total + socket.listenerCount(event), 0),
    );
  return most;
}

/** Sockets that the system has open for this process: descriptors under /proc (Linux); -1 where they cannot be counted. */
export function openSockets(): number {
  const folder = '/proc/self/fd';
  try {
    return readdirSync(folder).filter((descriptor) => isSocket(`${folder}/${descriptor}`)).length;
  } catch {
    return -1;
  }
}

function isSocket(link: string): boolean {
  try {
    return readlinkSync(link).startsWith('socket:');
  } catch {
    return false; // the descriptor that lists the folder is gone again
  }
}

/** Collects all garbage, where `--expose-gc` lets it. */
export async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    globalThis.gc?.();
    await setImmediate();
  }
}
