import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseCalls } from '#src/samples/parse.ts';
import { errorOf, quoted, read } from './reading.ts';

/** Expression, column, what the message says behind it. */
const ERRORS: readonly (readonly [string, number, string])[] = [
  ['', 1, 'expected a fetch (src, src_port, …), not nothing'],
  ['pth', 1, "expected a fetch (src, src_port, …), not 'pth'; did you mean 'path'?"],
  ['Path', 1, "expected a fetch (src, src_port, …), not 'Path'; did you mean 'path'?"],
  ['nothing-like-it', 1, "expected a fetch (src, src_port, …), not 'nothing-like-it'"],
  ['constructor', 1, "expected a fetch (src, src_port, …), not 'constructor'"],
  ['lower', 1, "expected a fetch (src, src_port, …), not 'lower', a converter; a fetch comes before it"],
  ['req.hdr(x-k),lowr', 14, "expected a converter (lower, upper, …), not 'lowr'; did you mean 'lower'?"],
  ['path, lower', 6, "expected a converter (lower, upper, …), not ' lower'; did you mean 'lower'?"],
  ['src,path', 5, "expected a converter (lower, upper, …), not 'path', a fetch; only converters come behind the first"],
  ['path,', 6, 'expected a converter (lower, upper, …), not nothing'],
  ['path,,lower', 6, 'expected a converter (lower, upper, …), not nothing'],
  ['path)', 5, "expected ',' or the end, not ')'"],
  ['hdr(a)x', 7, "expected ',' or the end, not 'x'"],
  ['hdr(a', 6, "expected ')' for the '(' of column 4, not the end"],
  ['hdr(', 5, "expected ')' for the '(' of column 4, not the end"],
  ["hdr('a)", 8, "expected ' for the ' of column 5, not the end"],
  ['hdr(x"a)', 9, 'expected " for the " of column 6, not the end'],
  ['hdr', 4, 'expected the name of a header, as hdr(name[,occurrence]), not nothing'],
  ['hdr()', 5, 'expected the name of a header, as hdr(name[,occurrence]), not nothing'],
  ["hdr('')", 5, "expected the name of a header, not ''"],
  ['hdr(a,b)', 7, "expected an integer (occurrence), not 'b'"],
  ['hdr(a,1,2)', 9, "expected no more than hdr(name[,occurrence]) for 'hdr', not '2'"],
  ['rand(0)', 6, "expected an integer from 1 to 4294967296 (range), not '0'"],
  ['int(1e3)', 5, "expected an integer (integer), not '1e3'"],
  ['int(9007199254740992)', 5, "expected an integer (integer), not '9007199254740992'"],
  ['path,lower(1)', 12, "expected no argument for 'lower', not '1'"],
  ['path,field(1)', 13, 'expected delimiters, as field(index,delimiters[,count]), not nothing'],
  ['path,field(0,/)', 12, "expected an integer other than 0 (index), not '0'"],
  ["path,field(1,'')", 14, "expected delimiters, not ''"],
  ['path,field(1,/,-1)', 16, "expected an integer from 0 (count), not '-1'"],
  ['path,bytes(-1)', 12, "expected an integer from 0 (offset), not '-1'"],
  ['path,bytes(0,0)', 14, "expected an integer from 1 (length), not '0'"],
  ['path,regsub((,x)', 13, "expected a regular expression (regex), not '('"],
  ["path,regsub('',x)", 13, "expected a regular expression (regex), not ''"],
  ["path,regsub(a,'\\')", 15, "expected text, with \\0 to \\9 for groups and \\x41 for a byte (substitute), not '\\'"],
  [
    'path,regsub(a,\\xg1)',
    15,
    "expected text, with \\0 to \\9 for groups and \\x41 for a byte (substitute), not '\\xg1'",
  ],
  ['path,regsub(a,b,x)', 17, "expected flags of 'g' and 'i', not 'x'"],
  ['src,ipmask(33)', 12, "expected bits from 0 to 32, or a mask as '255.255.255.0' (bits), not '33'"],
  ['src,ipmask(ffff::)', 12, "expected bits from 0 to 32, or a mask as '255.255.255.0' (bits), not 'ffff::'"],
  ['src,ipmask(8,129)', 14, "expected bits from 0 to 128, or a mask as 'ffff:ffff::' (bits6), not '129'"],
  ['path,json_query(a)', 17, `expected a JSON path, as '$.user.id', '$.ids[0]' or "$['user']" (path), not 'a'`],
  ['path,json_query($.)', 17, `expected a JSON path, as '$.user.id', '$.ids[0]' or "$['user']" (path), not '$.'`],
  ['path,json_query($.a,str)', 21, "expected 'int', not 'str'"],
  ['path,bytes(0),ipmask(8)', 15, "expected a converter of bin, not 'ipmask', which takes ip"],
];

for (const [expression, column, message] of ERRORS)
  test(`${JSON.stringify(expression)}: column ${column}: ${message}`, () => {
    const error = errorOf(expression);
    assert.equal(error.message, `column ${column}: ${message}`);
    assert.equal(error.column, column);
    assert.ok(message.startsWith(`expected ${error.expected}`));
  });

test('arguments that are left out or left empty are what HAProxy takes them for', () => {
  assert.equal(read('str(a_b_c),field(2,_,)'), 'b');
  assert.equal(read('str(a),lower()'), 'a');
  assert.equal(read('str(a),crc32()'), read('str(a),crc32'));
});

test('quotes and backslashes mean what they mean in HAProxy', () => {
  const argument = (written: string): string | undefined => parseCalls(`f(${written})`)[0].arguments[0]?.text;
  assert.equal(argument(`a'b,)\\'c`), 'ab,)\\c');
  assert.equal(argument('a"b,)\'\\"\\\\"c'), `ab,)'"\\c`);
  assert.equal(argument('\\r\\n\\t\\ \\d\\1\\x41'), '\r\n\t \\d\\1\\x41');
  assert.equal(argument('"\\r\\d\\,\\)"'), '\r\\d\\,\\)');
  assert.equal(argument('\\,\\)'), ',)');
  assert.equal(argument(' a '), ' a ');
});

test('columns count the characters as they are written', () => {
  const [fetch, converter] = parseCalls('f("a",  b),conv(\\,,c)');
  assert.deepEqual(fetch, {
    name: 'f',
    column: 1,
    arguments: [
      { text: 'a', column: 3 },
      { text: '  b', column: 7 },
    ],
    end: 10,
  });
  assert.deepEqual(converter?.arguments[1], { text: 'c', column: 20 });
});

test('any arguments come back from their quotes', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.string({ unit: 'binary' }), { minLength: 2 }), { minLength: 1 }), (calls) => {
      const written = calls.map((values) => `f(${values.map(quoted).join()})`).join();
      assert.deepEqual(
        parseCalls(written).map((call) => call.arguments.map(({ text }) => text)),
        calls,
      );
    }),
  );
});

test('any arguments without a quote come back from single quotes', () => {
  const value = fc.string({ unit: 'binary' }).map((text) => text.replaceAll("'", ''));
  fc.assert(
    fc.property(value, value, (a, b) => {
      const [{ arguments: read }] = parseCalls(`f('${a}','${b}')`);
      assert.deepEqual(
        read.map(({ text }) => text),
        [a, b],
      );
    }),
  );
});

test('any text at all is read, or is a SampleSyntaxError with a column in it or just behind it', () => {
  const piece = fc.constantFrom(...'(),\'"\\ab', 'path', 'str', 'lower', 'regsub', 'field', ',', '1');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const text = pieces.join('');
      const { column } = errorOf(text);
      assert.ok(column >= 0 && column <= text.length + 1);
    }),
    { numRuns: 2000 },
  );
});
