import { BlockList, isIP, isIPv6 } from 'node:net';
import { OptionReader } from '../core/options.ts';
import { isToken } from '../http1/characters.ts';
import { type ForwardingOptions, replacedFields } from '../http1/request-head.ts';

/** Reads what requests tell servers of their clients. */
export function readForwarding(read: OptionReader): ForwardingOptions {
  const options = {
    forwardfor: readForwardFor(read),
    forwarded: readForwarded(read),
    forwardedHeaders: readFlags(read, 'forwardedHeaders', ['proto', 'host']),
    changeOrigin: read.boolean('changeOrigin', { default: false }),
  };
  return { ...options, replaced: replacedFields(options) };
}

function readForwardFor(read: OptionReader): ForwardingOptions['forwardfor'] {
  const value = read.any('forwardfor');
  if (value === undefined || value === false) return undefined;
  if (value === true) return { header: 'x-forwarded-for', ifNone: false, except: undefined };
  const phrase = typeof value === 'string' ? forwardForPhrase(value) : value;
  if (phrase === undefined || typeof phrase !== 'object' || phrase === null) {
    read.fault(
      'forwardfor',
      value,
      "true, false, { except, header, ifNone }, or HAProxy's words 'except NET', 'header NAME', 'if-none'",
    );
    return undefined;
  }
  const options = new OptionReader(phrase, read.pathOf('forwardfor'), read.faults);
  const header = options.read('header', 'x-forwarded-for', "a field's name", (name) =>
    typeof name === 'string' && isToken(name) ? name.toLowerCase() : undefined,
  );
  const ifNone = options.boolean('ifNone', { default: false });
  const except = options.read(
    'except',
    undefined,
    "addresses or networks: '127.0.0.1', ['10.0.0.0/8', '::1']",
    (nets) => networks(Array.isArray(nets) ? nets : [nets]),
  );
  options.rejectUnknown();
  return { header, ifNone, except };
}

/** HAProxy: `option forwardfor [except <network>] [header <name>] [if-none]`. */
function forwardForPhrase(phrase: string): Record<string, unknown> | undefined {
  const words = phrase.trim().split(/\s+/);
  const options: Record<string, unknown> = {};
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const argument = word === 'if-none' ? true : words.shift();
    if (argument === undefined || !['if-none', 'except', 'header'].includes(word)) return undefined;
    options[word === 'if-none' ? 'ifNone' : word] = argument;
  }
  return options;
}

function networks(list: readonly unknown[]): BlockList | undefined {
  const block = new BlockList();
  for (const net of list) {
    if (typeof net !== 'string') return undefined;
    const [address = '', bits, ...rest] = net.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (isIP(address) === 0 || rest.length > 0) return undefined;
    if (bits === undefined) block.addAddress(address, family);
    else if (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 'ipv6' ? 128 : 32))
      block.addSubnet(address, Number(bits), family);
    else return undefined;
  }
  return block;
}

function readForwarded(read: OptionReader): ForwardingOptions['forwarded'] {
  const value = read.any('forwarded');
  if (value === undefined || value === false) return undefined;
  if (value === true || value === '') return { proto: true, host: false, by: false, for: true };
  if (typeof value === 'string') {
    const words = value.trim().split(/\s+/);
    const flags = {
      proto: words.includes('proto'),
      host: words.includes('host'),
      by: words.includes('by'),
      for: words.includes('for'),
    };
    if (words.every((word) => Object.hasOwn(flags, word))) return flags;
    read.fault(
      'forwarded',
      value,
      "true, false, { proto, host, by, for }, or HAProxy's words 'proto', 'host', 'by', 'for'",
    );
    return undefined;
  }
  return readFlags(read, 'forwarded', ['proto', 'host', 'by', 'for']);
}

function readFlags<const K extends string>(read: OptionReader, key: string, names: readonly K[]): Record<K, boolean> {
  const options = read.object(key);
  const flags = Object.fromEntries(names.map((name) => [name, options.boolean(name, { default: false })])) as Record<
    K,
    boolean
  >;
  options.rejectUnknown();
  return flags;
}
