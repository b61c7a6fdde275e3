import { type Parameter, parameter } from './parameters.ts';

/** Keys of objects and indexes of arrays, from the outside in. */
export type JsonPath = readonly (string | number)[];

/** `$` and steps: `.key` (a dot in it is `\.`), `['key']`, `[0]`. */
export function jsonPath(name: string): Parameter<JsonPath> {
  return parameter(name, `a JSON path, as '$.user.id', '$.ids[0]' or "$['user']" (${name})`, (written) => {
    const form = /\.((?:\\.|[^\\.[])+)|\[(\d{1,9})\]|\[(?:'([^']*)'|"([^"]*)")\]/suy;
    if (!written.startsWith('$')) return undefined;
    const steps: (string | number)[] = [];
    form.lastIndex = 1;
    while (form.lastIndex < written.length) {
      const found = form.exec(written);
      if (found === null) return undefined;
      const [, key, at, single, double] = found;
      if (at !== undefined) steps.push(Number(at));
      else steps.push(key?.replace(/\\(.)/gsu, '$1') ?? single ?? double ?? '');
    }
    return steps;
  });
}

/**
 * The value at `path` of the JSON in `text`: strings as they are, numbers as text (with `int` as integers, cut off behind
 * the point), true and false as 1 and 0, arrays as JSON. Anything else, and what is no JSON, is `undefined`.
 * @see HAProxy sample.c:sample_conv_json_query; numbers keep all their digits here, of which HAProxy keeps six
 */
export function queryJson(text: string, path: JsonPath, type: 'int' | undefined): string | number | undefined {
  try {
    const value = path.reduce<unknown>(step, JSON.parse(text));
    if (typeof value === 'string') return value;
    if (typeof value === 'boolean') return value ? 1 : 0;
    if (typeof value === 'number') return type === 'int' ? safeInteger(value) : String(value);
    return Array.isArray(value) ? JSON.stringify(value) : undefined;
  } catch {
    return undefined; // no JSON, or nested deeper than the stack
  }
}

function step(value: unknown, at: string | number): unknown {
  if (Array.isArray(value)) return typeof at === 'number' ? value[at] : undefined;
  if (typeof value !== 'object' || value === null || typeof at === 'number') return undefined;
  return Object.hasOwn(value, at) ? (value as Record<string, unknown>)[at] : undefined;
}

function safeInteger(value: number): number | undefined {
  const integer = Math.trunc(value);
  return Number.isSafeInteger(integer) ? integer + 0 : undefined;
}
