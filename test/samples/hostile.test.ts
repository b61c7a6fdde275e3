import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RequestContext } from '#src/core/context.ts';
import { asAddress, asBinary, asInteger, asText, compileSample, type SampleValue } from '#src/samples/index.ts';
import { environment } from './reading.ts';

const FETCHES = [
  ...['src', 'src_port', 'dst', 'dst_port', 'ssl_fc_sni', 'method', 'url', 'path', 'pathq', 'query', 'base', 'rand'],
  ...['url_param(a)', 'req.hdr(host)', 'hdr(x)', 'hdr(x,1)', 'req.fhdr(x)', 'hdr_ip(x)', 'req.cook(a)'],
];
const CONVERTERS = [
  ...['lower', 'upper', 'length', 'field(2,/)', 'field(-1,/)', 'word(1,/)', 'word(-2,/,2)', 'sub-string(1,2)'],
  ...['regsub("[^a]*",<\\0>,g)', 'bytes(1)', 'bytes(1,2)', 'hex', 'base64', 'url_dec', 'url_dec(1)', 'crc32', 'djb2'],
  ...['sdbm(1)', 'wt6', 'xxh32', 'xxh64(7)', 'ipmask(24,64)', "json_query('$.a[0]')", "json_query('$.a',int)"],
];

const bytes = fc.uint8Array().map((array) => Buffer.from(array).toString('latin1'));
const nasty = fc.constantFrom(
  '',
  '%',
  '%f',
  '"',
  '"\\',
  ',',
  ', ,',
  '[::1]',
  '1.2.3.4:99999',
  '{"a":',
  '::ffff:1.2.3.4',
  '?',
);
const text = fc.oneof(bytes, nasty, fc.string({ unit: 'binary' }), fc.ipV6(), fc.json(), fc.webUrl());
const anything = fc.oneof({ weight: 4, arbitrary: text }, fc.anything(), fc.array(text));
const contexts: fc.Arbitrary<RequestContext> = fc.record(
  {
    method: anything,
    url: anything,
    headers: fc.oneof(
      fc.record({ host: anything, ':authority': anything, x: anything, cookie: anything }, { requiredKeys: [] }),
      fc.anything(),
    ),
    rawHeaders: fc.oneof(fc.array(anything), fc.anything()),
    socket: fc.oneof(
      fc.record(
        {
          remoteAddress: text,
          remotePort: anything,
          localAddress: anything,
          localPort: anything,
          servername: anything,
        },
        { requiredKeys: [] },
      ),
      fc.constant(null),
    ),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<unknown> as fc.Arbitrary<RequestContext>;

function isOf(type: string, value: SampleValue): boolean {
  if (type === 'bin') return Buffer.isBuffer(value);
  if (type === 'int') return typeof value === 'bigint' || Number.isSafeInteger(value);
  return type === 'any' || typeof value === 'string';
}

test('nothing that a request holds makes a sample throw, or gives what is not of its type', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...FETCHES),
      fc.array(fc.constantFrom(...CONVERTERS), { maxLength: 3 }),
      contexts,
      (fetch, converters, context) => {
        let expression = fetch;
        let type = compileSample(fetch, environment).type;
        for (const converter of converters) {
          if (type === 'bin' && converter.startsWith('ipmask')) continue;
          expression += `,${converter}`;
          type = compileSample(expression, environment).type;
        }
        const sample = compileSample(expression, environment);
        const value = sample.read(context);
        if (value !== undefined) assert.ok(isOf(type, value), `${expression}: ${String(value)} is not ${type}`);
        asText(sample)(context);
        assert.doesNotMatch(asBinary(sample)(context) ?? '', /[\u0100-\uffff]/);
        if (type === 'bin') return;
        asInteger(sample)(context);
        asAddress(sample)(context);
      },
    ),
    { numRuns: 3000 },
  );
});

test('a request of the largest size takes no more than a moment', () => {
  const long = 65_536;
  const values = [' '.repeat(long), `${' '.repeat(long)}x`, ','.repeat(long), '"'.repeat(long), '%'.repeat(long)];
  values.push('['.repeat(long), `{"a":${'['.repeat(long)}${']'.repeat(long)}}`, '/'.repeat(long), '1'.repeat(long));
  values.push(`${':'.repeat(long)}1`, `a=${';'.repeat(long)}`, `?${'&'.repeat(long)}`, `h${'t'.repeat(long)}://`);
  const started = process.cpuUsage();
  for (const value of values)
    for (const fetch of FETCHES)
      for (const converter of ['lower', 'url_dec', 'word(-1,/)', 'ipmask(8)', "json_query('$.a')", 'xxh64,length']) {
        const socket = { remoteAddress: value, localAddress: value, servername: value };
        compileSample(`${fetch},${converter}`, environment).read({
          ...{ method: value, url: value, socket, headers: { host: value, x: value, cookie: value } },
        });
      }
  // 1,500 readings of 64 KiB each; one that took a square of its length would take longer alone.
  assert.ok(process.cpuUsage(started).user < 20_000_000);
});
