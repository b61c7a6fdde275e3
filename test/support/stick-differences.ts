import type { RecordedEntry, RecordedStick, RecordedTable, StickOutcome, StickStep } from './stick-record.ts';

/** How a step comes out with us where not as with HAProxy; `undefined`: as with HAProxy. */
interface Difference {
  /** Of which scenarios. */
  readonly in: RegExp;
  readonly of: (step: StickStep, expect: StickOutcome, scenario: RecordedStick) => StickOutcome | undefined;
}

/** Why steps come out otherwise than with HAProxy 2.6; `docs/haproxy-differences.md` explains each. */
const DIFFERENCES: Readonly<Record<string, Difference>> = {
  'type string without len': {
    in: /^shapes: string, length by default/,
    of: (step, expect) => keyedAs(expect, keyOf(step).slice(0, 32)),
  },
  'an IPv6 address as a text, in a table of IPv4 addresses': {
    in: /^shapes: ip$/,
    of: (step, expect) => keyedAs(expect, ipv4In(keyOf(step))),
  },
  'an IPv4 address as a text, in a table of IPv6 addresses': {
    in: /^shapes: ipv6$/,
    of: (step, expect) => {
      const [, ...octets] = /(?:^|, )0*(\d+)\.(\d+)\.(\d+)\.0*(\d+)(?![\d.,])/.exec(keyOf(step)) ?? [];
      return octets.length === 0 ? undefined : keyedAs(expect, `::ffff:${octets.join('.')}`);
    },
  },
  'IPv6 addresses that hold one of IPv4 and are not mapped: as HAProxy 3.0 and later': {
    in: /^shapes: address, as ip$/,
    of: (step, expect) => keyedAs(expect, ipv4In(keyOf(step))),
  },
  'brackets in hdr_ip: as HAProxy 3.5': {
    in: /^shapes: address/,
    of: (step, expect, { name }) =>
      keyOf(step) === '[::1]'
        ? keyedAs(expect, / bytes$/.test(name) ? '\0'.repeat(8) : / ip$/.test(name) ? '0.0.0.1' : '::1')
        : undefined,
  },
  'a mapped address is its IPv4 address': {
    in: /^shapes: address as/,
    of: (step, expect, { name }) => {
      if (ipv4In(keyOf(step)) !== '10.0.0.1' || !/^::ffff:/i.test(keyOf(step))) return undefined;
      const bytes = '\n\0\0\x01\0\0\0\0';
      return keyedAs(expect, / bytes$/.test(name) ? bytes : / integer$/.test(name) ? `${0x0a000001}` : '10.0.0.1');
    },
  },
  'a compatible address as a text': {
    in: /^shapes: address as a string/,
    of: (step, expect) => (keyOf(step) === '::10.0.0.1' ? keyedAs(expect, '::a00:1') : undefined),
  },
  'a store makes room for an entry that is there': {
    in: /^full, and one is stored that is there/,
    of: (_step, expect) => withEntry(expect, 'a', { gpc0: 0 }),
  },
  'a full table with nopurge stores nothing under a key that is there': {
    in: /^nopurge, and a server that goes/,
    of: (_step, expect) => withEntry(expect, 'a', { server: String(expect.server) }),
  },
  'an entry in use is cleared': {
    in: /^an entry in use that expires/,
    of: (_step, expect) => {
      const entry = expect.tables['']?.['c'];
      return entry && withEntry(expect, 'c', { ...entry, gpc0: 0 });
    },
  },
  'bytes are those of bodies': {
    in: /^bytes/,
    of: (_step, expect, { steps }) => {
      const sizes = new Map(steps.map((step) => [keyOf(step), 'ask' in step ? step.ask : {}] as const));
      const table = Object.entries(expect.tables[''] ?? {}).map(([key, entry]) => {
        const { sends = 0, body = 0 } = sizes.get(key) ?? {};
        return [key, { ...entry, bytes_in_cnt: sends, bytes_out_cnt: body }] as const;
      });
      return withTable(expect, Object.fromEntries(table));
    },
  },
  'of a server with another name the number is not looked for': {
    in: /^a server that the other backend does not know/,
    of: (_step, expect) => {
      const table = { ...expect.tables['shared'], a: { server: 't2' } };
      return { ...expect, server: 't2', tables: { shared: table } };
    },
  },
  'an entry that names a server leads to no other': {
    in: /^an operator says where a key belongs/,
    of: (step, expect) => {
      const sticking = withEntry(expect, 'b', { server: 's3' });
      return 'ask' in step ? { ...sticking, server: 's3' } : sticking;
    },
  },
};

/** Holds what comes of steps against the recorded outcomes, and keeps account of the differences that it met. */
export class StickDifferences {
  readonly #met = new Set<string>();

  /** What is to come of a step that did not come out as with HAProxy. */
  explained(scenario: RecordedStick, { expect, ...step }: RecordedStick['steps'][number]): StickOutcome {
    for (const [why, difference] of Object.entries(DIFFERENCES)) {
      const explained = difference.in.test(scenario.name) ? difference.of(step, expect, scenario) : undefined;
      if (explained === undefined) continue;
      this.#met.add(why);
      return explained;
    }
    return expect;
  }

  /** Those that no step has shown. */
  get unmet(): readonly string[] {
    return Object.keys(DIFFERENCES).filter((why) => !this.#met.has(why));
  }
}

function keyOf(step: StickStep): string {
  return 'ask' in step ? (step.ask.headers?.['x-key'] ?? '') : '';
}

/** The only entry of the table, under another key, or there at all. */
function keyedAs(expect: StickOutcome, key: string | undefined): StickOutcome | undefined {
  return key === undefined ? undefined : withTable(expect, { [key]: { server: String(expect.server) } });
}

function withEntry(expect: StickOutcome, key: string, entry: RecordedEntry): StickOutcome {
  return withTable(expect, { ...expect.tables[''], [key]: entry });
}

function withTable(expect: StickOutcome, table: RecordedTable): StickOutcome {
  return { ...expect, tables: { ...expect.tables, '': table } };
}

/** The IPv4 address in an IPv6 address as the scenarios write it. */
function ipv4In(text: string): string | undefined {
  const known: Readonly<Record<string, string>> = {
    '::ffff:10.0.0.1': '10.0.0.1',
    '::FFFF:a00:1': '10.0.0.1',
    '::10.0.0.1': '10.0.0.1',
    '2002:a00:1::': '10.0.0.1',
    '::': '0.0.0.0',
    '::1': '0.0.0.1',
  };
  return known[text];
}
