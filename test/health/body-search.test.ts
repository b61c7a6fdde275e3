import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BodySearch } from '#src/health/body-search.ts';
import { MAX_BODY_BYTES, type StringExpect } from '#src/health/http-expect.ts';

function expecting(text: string, not = false): StringExpect {
  return { kind: 'string', text, not };
}

function searched(expects: readonly StringExpect[], ...pieces: readonly string[]): BodySearch {
  const search = new BodySearch(expects);
  for (const piece of pieces) search.push(Buffer.from(`--${piece}--`), 2, 2 + Buffer.byteLength(piece));
  return search;
}

test('a text that has come decides at once, one that has not only at the end', () => {
  assert.equal(searched([expecting('OK')], 'all is OK').verdict(false), '');
  assert.equal(searched([expecting('OK')], 'all is').verdict(false), undefined);
  assert.equal(searched([expecting('OK')], 'all is').verdict(true), 'the body does not hold "OK"');
});

test('a text that must not come decides at once, and is absent only at the end', () => {
  assert.equal(searched([expecting('ERROR', true)], 'an ERROR').verdict(false), 'the body holds "ERROR"');
  assert.equal(searched([expecting('ERROR', true)], 'fine').verdict(false), undefined);
  assert.equal(searched([expecting('ERROR', true)], 'fine').verdict(true), '');
});

test('of several texts all must hold', () => {
  const both = [expecting('OK'), expecting('db')];
  assert.equal(searched(both, 'OK').verdict(false), undefined);
  assert.equal(searched(both, 'OK').verdict(true), 'the body does not hold "db"');
  assert.equal(searched(both, 'OK db').verdict(false), '');
});

test('an empty body never passes', () => {
  assert.equal(searched([expecting('ERROR', true)]).verdict(true), 'the answer has no body');
  assert.equal(searched([expecting('ERROR', true)]).verdict(false), undefined);
});

test('nothing behind the first 16 KiB is looked at, and they are conclusive', () => {
  const filler = 'x'.repeat(MAX_BODY_BYTES - 2);
  assert.equal(searched([expecting('OK')], filler, 'OK').verdict(false), '');
  assert.equal(searched([expecting('OK')], filler, 'xOK').verdict(false), 'the body does not hold "OK"');
  assert.equal(searched([expecting('OK', true)], filler, 'xOK').verdict(false), '');
});

test('a text is found wherever the body is cut', () => {
  const letter = fc.constantFrom('a', 'b');
  const text = fc.string({ unit: letter, minLength: 1, maxLength: 4 });
  const pieces = fc.array(fc.string({ unit: letter, maxLength: 5 }), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(fc.tuple(text, fc.boolean()), { minLength: 1, maxLength: 3 }), pieces, (texts, body) => {
      const whole = body.join('');
      const holds = whole !== '' && texts.every(([text, not]) => whole.includes(text) !== not);
      const search = searched(
        texts.map(([text, not]) => expecting(text, not)),
        ...body,
      );
      assert.equal(search.verdict(true) === '', holds);
    }),
  );
});
