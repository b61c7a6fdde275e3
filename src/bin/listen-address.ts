/** Where the command listens for clients. */
export interface ListenAddress {
  /** Host name or IP address, IPv6 without brackets. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

export const LISTEN_FORMS = "PORT (on 127.0.0.1) or HOST:PORT: '8080', '0.0.0.0:8080', '[::]:8080'";

/** Reads `PORT` or `HOST:PORT`; `undefined` when it is neither. Without a host only this machine can connect. */
export function parseListenAddress(value: unknown): ListenAddress | undefined {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string') return undefined;
  const [, bracketed, name, digits] = /^(?:(?:\[([0-9a-f:.]+)\]|([^\s:[\]/]+)):)?(\d{1,5})$/i.exec(text) ?? [];
  const port = Number(digits);
  return digits !== undefined && port <= 65_535 ? { host: bracketed ?? name ?? '127.0.0.1', port } : undefined;
}

/** `http://host:port`. */
export function urlOf({ host, port }: ListenAddress): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
