import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OptionReader } from '#src/core/options.ts';
import { NOTHING_TRACKED } from '#src/pool/request-tracks.ts';
import { copyFields, fieldsOf, listOf } from '#src/pool/rule-fields.ts';
import { type RequestRuleContext, readRules } from '#src/pool/rules.ts';
import { treatment } from './treatment.ts';

type Fields = Record<string, string | string[] | undefined>;

/** Applies rules to a request's fields. */
function apply(rules: unknown, headers: Fields, method = 'GET'): { headers: Fields; faults: string[] } {
  const read = new OptionReader({ httpRequest: rules }, '');
  const compiled = readRules<RequestRuleContext>(read, 'httpRequest', new Map());
  read.throwFaults();
  const copy = copyFields(headers);
  const faults: string[] = [];
  compiled?.apply({ method, url: '/', headers: copy, tracked: NOTHING_TRACKED }, copy, treatment(), (sample, error) =>
    faults.push(`${sample}: ${(error as Error).message}`),
  );
  return { headers: { ...copy }, faults };
}

test('rules change fields in order', () => {
  const rules = [
    { setHeader: ['X-Env', 'prod'] },
    { addHeader: ['x-env', 'two'] },
    { addHeader: ['x-env', 'three'] },
    { addHeader: ['x-new', 'one'] },
    { delHeader: 'X-ROLE' },
    { setHeader: ['x-method', ({ method }: RequestRuleContext) => method?.toLowerCase()] },
    { setHeader: ['x-none', () => undefined] },
    { call: ({ headers }: RequestRuleContext) => void (headers['x-called'] = 'yes') },
  ];
  assert.deepEqual(apply(rules, { 'x-env': 'client', 'x-role': 'admin', 'x-none': 'kept' }), {
    headers: {
      'x-env': ['prod', 'two', 'three'],
      'x-new': 'one',
      'x-method': 'get',
      'x-none': 'kept',
      'x-called': 'yes',
    },
    faults: [],
  });
});

test('a rule holds only where its condition does', () => {
  const rules = [{ setHeader: ['x-get', '1'], if: ({ method }: RequestRuleContext) => method === 'GET' }];
  assert.deepEqual(apply(rules, {}).headers, { 'x-get': '1' });
  assert.deepEqual(apply(rules, {}, 'POST').headers, {});
});

test('a rule that throws, or gives what cannot be sent, is reported and left out; the others hold', () => {
  const rules = [
    {
      call: () => {
        throw new Error('broken');
      },
    },
    {
      setHeader: ['x-a', 'b'],
      if: () => {
        throw new Error('no idea');
      },
    },
    { setHeader: ['x-split', () => 'a\r\nb: c'] },
    { addHeader: ['x-number', () => 5] },
    { setHeader: ['x-last', 'z'] },
  ];
  assert.deepEqual(apply(rules, {}), {
    headers: { 'x-last': 'z' },
    faults: [
      'httpRequest[0].call: broken',
      'httpRequest[1].setHeader: no idea',
      'httpRequest[2].setHeader: "a\\r\\nb: c" cannot be the value of the field x-split',
      'httpRequest[3].addHeader: 5 cannot be the value of the field x-number',
    ],
  });
});

test('a request’s own fields stay as they are: rules get a copy, down to the arrays', () => {
  const cookies = ['a=1'];
  const headers = { 'set-cookie': cookies, 'x-a': '1' };
  apply(
    [
      { call: ({ headers: copy }: RequestRuleContext) => (copy['set-cookie'] as string[]).push('b=2') },
      { delHeader: 'x-a' },
    ],
    headers,
  );
  assert.deepEqual(headers, { 'set-cookie': ['a=1'], 'x-a': '1' });
});

test('a rule that is async by mistake is reported, and cannot end the process', async () => {
  const rules = [
    { call: async () => Promise.reject(new Error('unheard')) },
    { setHeader: ['x-a', 'b'], if: async () => Promise.reject(new Error('unheard')) },
    { setHeader: ['x-a', async () => Promise.reject(new Error('unheard'))] },
  ];
  const { headers, faults } = apply(rules, {});
  await new Promise(setImmediate); // an unhandled rejection would fail the test
  assert.deepEqual(headers, {});
  assert.deepEqual(
    faults.map((fault) => fault.replace(/.*: /, '')),
    Array(3).fill('the function returned a promise; it must answer at once'),
  );
});

test('a response’s lines become fields and lines again; what cannot be sent is left out, framing stays', () => {
  const lines = ['Set-Cookie', 'a', 'Content-Length', '3', 'X-A', '1', 'set-cookie', 'b', '__proto__', 'p'];
  const fields = fieldsOf(lines);
  assert.deepEqual({ ...fields }, { 'set-cookie': ['a', 'b'], 'content-length': '3', 'x-a': '1', ['__proto__']: 'p' });
  fields['x-a'] = undefined;
  fields['content-length'] = '99';
  fields['transfer-encoding'] = 'gzip';
  fields['x-split'] = ['fine', 'a\nb'];
  fields['bad name'] = 'x';
  const faults: unknown[] = [];
  assert.deepEqual(
    listOf(fields, lines, (_sample, error) => faults.push((error as Error).message)),
    ['Content-Length', '3', 'set-cookie', 'a', 'set-cookie', 'b', '__proto__', 'p', 'x-split', 'fine'],
  );
  assert.deepEqual(faults, ['the field "x-split" cannot be sent', 'the field "bad name" cannot be sent']);
});

test('wrong rules are named, all at once', () => {
  const read = new OptionReader(
    {
      httpRequest: [
        {},
        'deny',
        { setHeader: ['x-a'] },
        { setHeader: ['bad name', 'x'] },
        { setHeader: ['x-a', 'a\nb'] },
        { delHeader: 'Transfer-Encoding' },
        { call: 'fn' },
        { setHeader: ['x-a', 'b'], delHeader: 'x-a' },
        { track: 'src' },
        { delHeader: 'x-a', when: true },
        { delHeader: 'x-a', if: true },
      ],
    },
    '',
  );
  readRules(read, 'httpRequest', new Map());
  assert.deepEqual(
    read.faults.map(({ path, message }) => `${path.replace('httpRequest', '')}: ${message.slice(0, 50)}`),
    [
      '[0]: the rule has no action; allowed: setHeader, addHea',
      '[1]: "deny" is not an object',
      '[1]: the rule has no action; allowed: setHeader, addHea',
      '[2].setHeader: ["x-a"] is not allowed; allowed: [name, value], th',
      '[3].setHeader: "bad name" is not allowed; allowed: a field’s name'.replace('’', "'"),
      '[4].setHeader: "a\\nb" is not allowed; allowed: a field’s value wi'.replace('’', "'"),
      '[5].delHeader: "Transfer-Encoding" is not allowed; allowed: a fie',
      '[6].call: "fn" is not allowed; allowed: a function',
      '[7].delHeader: a rule has one action; make it two rules',
      "[8]: needs a table: 'table', or the pool's option 'stic",
      '[9].when: is not an option',
      '[10].if: true is not allowed; allowed: a function',
    ],
  );
});
