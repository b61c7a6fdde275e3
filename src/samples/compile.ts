import { atOnce } from '../core/at-once.ts';
import { nearestName } from '../core/nearest-name.ts';
import { show } from '../core/options.ts';
import { castBetween } from './casts.ts';
import { CONVERTERS } from './converters.ts';
import { FETCHES, type Fetch } from './fetches.ts';
import { readArguments } from './parameters.ts';
import { type Call, parseCalls, SampleSyntaxError } from './parse.ts';
import type { Sample, SampleEnvironment, SampleFunction, SampleOption, SampleValue } from './sample.ts';

/** What an expression may begin with, by name. */
export type Fetches = Readonly<Record<string, Fetch>>;

/**
 * Makes a sample of HAProxy's expression: a fetch and any number of converters, `req.hdr(x-key),lower`. Where types do not
 * meet, a cast is put in.
 * @throws {SampleSyntaxError}
 * @see HAProxy configuration manual 7.3
 */
export function compileSample(text: string, environment: SampleEnvironment, fetches: Fetches = FETCHES): Sample {
  const [fetch, ...converters] = parseCalls(text);
  return converters.reduce(converted, fetched(fetch, environment, fetches));
}

/**
 * A sample of an expression or of a user's own function.
 * @throws {SampleSyntaxError} for an expression that is none
 */
export function sampleOf<R>(option: SampleOption<R>, environment: SampleEnvironment, fetches?: Fetches): Sample {
  if (typeof option === 'string') return compileSample(option, environment, fetches);
  const own = option as SampleFunction;
  return { type: 'any', read: (context) => checked(own(context)) };
}

function fetched(call: Call, environment: SampleEnvironment, fetches: Fetches): Sample {
  const { type, parameters, read } = rowOf(fetches, call, 'fetch');
  const values = readArguments(call, parameters);
  return { type, read: (context) => read(context, environment, ...values) };
}

function converted(sample: Sample, call: Call): Sample {
  const { from, to, parameters, convert } = rowOf(CONVERTERS, call, 'converter');
  const cast = castBetween(sample.type, from);
  if (cast === undefined)
    throw new SampleSyntaxError(call.column, `a converter of ${sample.type}`, `'${call.name}', which takes ${from}`);
  const values = readArguments(call, parameters);
  return {
    type: to,
    read(context) {
      const value = sample.read(context);
      if (value === undefined) return undefined;
      const input = cast(value);
      return input === undefined ? undefined : convert(input, ...values);
    },
  };
}

function rowOf<Row>(table: Readonly<Record<string, Row>>, { name, column }: Call, kind: 'fetch' | 'converter'): Row {
  const row = Object.hasOwn(table, name) ? table[name] : undefined;
  if (row !== undefined) return row;
  const names = Object.keys(table);
  const found = name === '' ? 'nothing' : `'${name}'`;
  throw new SampleSyntaxError(
    column,
    `a ${kind} (${names.slice(0, 2).join(', ')}, …)`,
    found,
    hintFor(name, names, kind),
  );
}

function hintFor(name: string, names: readonly string[], kind: 'fetch' | 'converter'): string {
  if (kind === 'fetch' && Object.hasOwn(CONVERTERS, name)) return ', a converter; a fetch comes before it';
  if (kind === 'converter' && Object.hasOwn(FETCHES, name)) return ', a fetch; only converters come behind the first';
  const near = nearestName(names, name);
  return near === undefined ? '' : `; did you mean '${near}'?`;
}

/** What a user's function may give, as one of the values of a sample. */
function checked(result: unknown): SampleValue | undefined {
  const value = atOnce(result);
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string' || typeof value === 'bigint') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return Number.isSafeInteger(value) ? value : String(value);
  if (Buffer.isBuffer(value)) return value;
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  throw new TypeError(
    `a sample's function returned ${show(value)}; allowed: text, a Buffer, a finite number, or undefined for none`,
  );
}
