import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OptionReader } from '#src/core/options.ts';
import { readCookie, readServerCookie } from '#src/persistence/cookie-options.ts';

const KEY = '0123456789abcdef';

function read(options: object) {
  const reader = new OptionReader(options, '');
  const settings = readCookie(reader);
  return { settings, faults: reader.faults.map(({ path, message }) => `${path}: ${message}`) };
}

test('phrases and objects say the same', () => {
  const same: readonly [string, object][] = [
    ['SRV', { name: 'SRV' }],
    ['SRV insert indirect nocache', { name: 'SRV', mode: 'insert', indirect: true, nocache: true }],
    ['  SRV \t insert  postonly preserve ', { name: 'SRV', mode: 'insert', postonly: true, preserve: true }],
    ['SRV prefix nocache postonly', { name: 'SRV', mode: 'prefix', nocache: true, postonly: true }],
    ['SRV insert maxidle 30m maxlife 8h', { name: 'SRV', mode: 'insert', maxidle: '30m', maxlife: '8h' }],
    ['SRV insert maxidle 90 maxlife 1500ms', { name: 'SRV', mode: 'insert', maxidle: 90_000, maxlife: 2000 }],
    ['SRV insert maxidle 0 maxlife 1', { name: 'SRV', mode: 'insert', maxlife: 1000 }],
    ['SRV insert domain .a.b domain c', { name: 'SRV', mode: 'insert', domain: ['.a.b', 'c'] }],
    ['SRV insert attr "SameSite=Lax" attr a\\ b', { name: 'SRV', mode: 'insert', attr: ['SameSite=Lax', 'a b'] }],
    [
      "SRV insert attr X='a \"b' httponly secure",
      { name: 'SRV', mode: 'insert', attr: 'X=a "b', httponly: true, secure: true },
    ],
  ];
  for (const [phrase, object] of same) {
    assert.deepEqual(read({ cookie: phrase }), read({ cookie: object }), phrase);
    assert.deepEqual(read({ cookie: phrase }).faults, [], phrase);
  }
  const { settings } = read({
    cookie: 'S insert domain a.b httponly secure attr SameSite=Lax domain c.d maxidle 1500ms',
  });
  assert.equal(settings?.attributes, '; path=/; domain=a.b; domain=c.d; HttpOnly; Secure; SameSite=Lax');
  assert.equal(settings?.maxidleS, 2);
  assert.equal(read({}).settings, undefined);
});

test('a cookie may be called as a word of the phrase is, where it is said to be a name', () => {
  assert.equal(read({ cookie: { name: 'insert', mode: 'insert' } }).settings?.name, 'insert');
  assert.equal(read({ cookie: 'Insert insert' }).settings?.name, 'Insert');
});

test('every fault is told, with where it is', () => {
  const faults: readonly (readonly [unknown, RegExp])[] = [
    ['', /^cookie: has no name/],
    ['SRV insert prefix', /^cookie: cannot be 'insert' and 'prefix'/],
    ...(['insert indirect', 'prefix', 'maxidle 30m', 'dynamic'] as const).map(
      (phrase) =>
        [phrase, /^cookie: begins with '(?:insert|prefix|maxidle|dynamic)', where the name .* is missing/] as const,
    ),
    ['SRV insert foo', /^cookie: 'foo' is not a word of it/],
    ['SRV insert maxidle', /^cookie: 'maxidle' needs a value/],
    ['SRV insert maxidle 5x', /^cookie: '5x' is no time behind 'maxidle'/],
    ['SRV insert maxidle 1m5', /is no time/],
    ['SRV insert attr "x', /^cookie: has a quote without an end/],
    ['SRV insert maxlife 25000d', /^cookie\.maxlife: .*0, or a time from 1 s to 68 years/],
    [
      'SRV insert maxidle 999ms',
      /^cookie\.maxidle: "999ms" is not allowed; allowed: 0, or a time from 1 s to 68 years/,
    ],
    ...([500, '0.2s', -1, '1x', 'infinite'] as const).map(
      (maxidle) => [{ name: 'SRV', mode: 'insert', maxidle }, /^cookie\.maxidle: .*in a phrase seconds$/] as const,
    ),
    ['S;V insert', /^cookie\.name: "S;V" is not allowed/],
    ['$SRV insert', /^cookie\.name/],
    ['S=V', /^cookie\.name/],
    ['SRV rewrite indirect', /^cookie\.indirect: does not go with 'rewrite'/],
    ['SRV preserve', /^cookie\.preserve: needs 'insert' or 'indirect'/],
    ['SRV prefix maxidle 5m', /^cookie\.maxidle: .*needs 'insert'/],
    ['SRV secure', /^cookie\.secure: .*needs 'insert'/],
    ['SRV insert dynamic', /^cookie\.dynamic: needs the pool's 'dynamicCookieKey'/],
    ['SRV insert domain a;b', /^cookie\.domain/],
    ['SRV insert domain a:b', /^cookie\.domain/],
    ['SRV insert attr a;b', /^cookie\.attr/],
    ['SRV insert attr "a\tb"', /^cookie\.attr/],
    ['SRV insert attr Ā', /^cookie\.attr/],
    [5, /^cookie: 5 is not allowed/],
    [[], /^cookie: \[\] is not allowed/],
    [{}, /^cookie\.name/],
    [{ name: 'SRV', mode: 'inser' }, /^cookie\.mode: .*'insert', 'prefix', 'rewrite'/],
    [{ name: 'SRV', indirekt: true }, /^cookie\.indirekt: is not an option; did you mean 'indirect'/],
    [{ name: 'SRV', mode: 'insert', sign: {} }, /^cookie\.sign\.keys: are missing; allowed: an array of 1 to 16 keys/],
    [{ name: 'SRV', mode: 'insert', sign: { keys: KEY } }, /^cookie\.sign\.keys: are no array; allowed: an array of/],
    [{ name: 'SRV', mode: 'insert', sign: { keys: [] } }, /^cookie\.sign\.keys: there are 0 keys; .*1 to 16 keys/],
    [{ name: 'SRV', mode: 'insert', sign: { keys: Array(17).fill(KEY) } }, /^cookie\.sign\.keys: there are 17 keys/],
    [
      { name: 'SRV', mode: 'insert', sign: { keys: [KEY, 5] } },
      /^cookie\.sign\.keys: key 2 is no text and no Uint8Array; allowed: at least 16 bytes$/,
    ],
    [{ name: 'SRV', mode: 'insert', sign: { keys: [KEY], key: 1 } }, /^cookie\.sign\.key/],
    [{ name: 'SRV', sign: { keys: [KEY] } }, /^cookie\.sign: needs 'insert', 'prefix' or 'rewrite'/],
  ];
  for (const [cookie, message] of faults) {
    const { faults: told, settings } = read({ cookie });
    assert.equal(told.length, 1, JSON.stringify([cookie, told]));
    assert.match(told[0] ?? '', message);
    assert.equal(settings, undefined);
  }
  assert.match(read({ dynamicCookieKey: 'k' }).faults[0] ?? '', /^dynamicCookieKey: needs a 'cookie' that is dynamic/);
  assert.deepEqual(read({ cookie: 'S insert dynamic', dynamicCookieKey: 'k' }).faults, []);
});

test('no fault shows or holds a key, whatever is wrong with it or beside it', () => {
  const secret = 'hunter2';
  const long = `${secret} and more of it`;
  for (const [options, said] of [
    [
      { cookie: { name: 'S', mode: 'insert', sign: { keys: [secret] } } },
      'key 1 has 7 bytes; allowed: at least 16 bytes',
    ],
    [{ cookie: { name: 'S', mode: 'insert', sign: { keys: [long, Buffer.from(secret)] } } }, 'key 2 has 7 bytes'],
    [{ cookie: { name: 'S', mode: 'insert', sign: { keys: long } } }, 'are no array'],
    [{ cookie: { name: 'S', mode: 'insert', sign: { keys: [long], secret } } }, 'did you mean keys: [ … ]?'],
    [{ cookie: { name: 'S', mode: 'insert', sign: long } }, 'is no object; allowed: { keys: [ … ] }'],
    [{ cookie: { name: 'S', mode: 'insert', secret: long } }, 'did you mean sign: { keys: [ … ] }?'],
    [{ cookie: { name: 'S', sign: { keys: [long] } } }, 'needs'],
    [{ dynamicCookieKey: long }, "needs a 'cookie' that is dynamic"],
    [{ dynamicCookieKey: [long] }, 'this value is not allowed; allowed: a string that is not empty'],
  ] as const) {
    const reader = new OptionReader(options, '');
    readCookie(reader);
    assert.equal(reader.faults.length, 1, said);
    assert.ok(reader.faults[0]?.message.includes(said), reader.faults[0]?.message);
    assert.doesNotMatch(JSON.stringify(reader.faults), /hunter2/);
  }
});

test("a server's cookie can stand in a cookie, and is found again", () => {
  const of = (value: unknown, cookie: string | undefined) => {
    const reader = new OptionReader({ cookie: value }, 'servers[0]');
    const settings = cookie === undefined ? undefined : read({ cookie }).settings;
    const got = readServerCookie(reader, settings, cookie !== undefined);
    return reader.faults.length > 0 ? 'fault' : got;
  };
  for (const value of ['a', 's-1.x:80', "!#$%&'()*+-./:<=>?@[]^_`{}"]) assert.equal(of(value, 'SRV insert'), value);
  for (const value of ['', 'a b', 'a;b', 'a,b', '"a"', 'a\\b', 'a|b', 'é', 'a\n', 5])
    assert.equal(of(value, 'SRV insert'), 'fault');
  assert.deepEqual(
    [of('a~b', 'SRV insert'), of('a~b', 'SRV prefix'), of('a|b', 'SRV prefix')],
    ['a~b', 'fault', 'a|b'],
  );
  assert.deepEqual([of(undefined, undefined), of('a', undefined)], [undefined, 'fault']);
});
