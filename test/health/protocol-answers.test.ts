/** What checks make of answers, byte for byte, without sockets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { excerpt } from '#src/health/dialogue.ts';
import { healthRequest, servingStatus } from '#src/health/grpc-check.ts';
import type { CheckResult } from '#src/health/health-check.ts';
import { readBindResponse } from '#src/health/ldap-check.ts';
import { readGreeting, readLoginAnswer } from '#src/health/mysql-check.ts';
import { readAuthentication, startupMessage } from '#src/health/pgsql-check.ts';
import { readPong } from '#src/health/redis-check.ts';
import { readReply } from '#src/health/smtp-check.ts';
import { readAgentHello } from '#src/health/spop-check.ts';
import { readHello } from '#src/health/ssl-hello-check.ts';
import { hex, latin1, MYSQL_GREETING, spopFrame } from './protocol-turns.ts';

const READERS: Readonly<Record<string, (reply: Buffer) => CheckResult | undefined>> = {
  redis: readPong,
  smtp: (reply) => readReply(reply, 'the greeting'),
  pgsql: readAuthentication,
  greeting: readGreeting,
  login: (reply) => readLoginAnswer(reply, '8.0.36'),
  ldap: readBindResponse,
  'ssl-hello': readHello,
  spop: readAgentHello,
};

/** `wait`: more must come; else code, status and description. */
type Row = readonly [reader: string, reply: Buffer, expected: string];

const pgError = (fields: string): Buffer => {
  const bytes = Buffer.from(fields);
  const head = Buffer.from('E\0\0\0\0');
  head.writeUInt32BE(4 + bytes.length, 1);
  return Buffer.concat([head, bytes]);
};

const spopItems = (text: string, size: string, rest: string): Buffer =>
  Buffer.concat([latin1(`${text}\x0emax-frame-size\x03`), hex(size), latin1(rest)]);
const CAPABILITIES = '\x0ccapabilities\x08\x00';
const V2 = '\x07version\x08\x032.0';

const ROWS: readonly Row[] = [
  ['redis', latin1('+PONG\r\n'), 'L7OK: Redis server is ok'],
  ['redis', latin1('+PONG\r\nmore'), 'L7OK: Redis server is ok'],
  ['redis', latin1('+PON'), 'wait'],
  ['redis', latin1('-NOAUTH Authentication required.\r'), 'wait'],
  ['redis', latin1('-NOAUTH Authentication required.\r\n'), 'L7STS: -NOAUTH Authentication required.'],
  ['redis', latin1('-LOADING Redis is loading\r\n'), 'L7STS: -LOADING Redis is loading'],
  ['redis', latin1('+OK\r\n'), "L7STS: not the answer of a Redis server: '+OK'"],
  ['redis', latin1('$4\r\nPONG\r\n'), "L7STS: not the answer of a Redis server: '$4'"],
  ['redis', Buffer.from('-NOAUTH für wen?\r\n'), 'L7STS: -NOAUTH für wen?'],
  ['smtp', latin1('220 ready\r\n'), 'L7OK 220: ready'],
  ['smtp', Buffer.from('220 größer\u2028 als je\r\n'), 'L7OK 220: größer als je'],
  ['smtp', latin1('220 a\rb\r\n'), "L7RSP: the greeting is not SMTP: '220 a'"],
  ['smtp', latin1('220\n'), 'L7OK 220: '],
  ['smtp', latin1('220 ready'), 'wait'],
  ['smtp', latin1('220-a\r\n220-b\r\n'), 'wait'],
  ['smtp', latin1('220-a\r\n220-b\r\n220 c\r\n'), 'L7OK 220: c'],
  ['smtp', latin1('554 go away\r\n'), 'L7STS 554: the greeting: 554 go away'],
  ['smtp', latin1('421\r\n'), 'L7STS 421: the greeting: 421'],
  ['smtp', latin1('22'), 'wait'],
  ['smtp', latin1('22x'), "L7RSP: the greeting is not SMTP: '22x'"],
  ['smtp', latin1('2200 no\r\n'), "L7RSP: the greeting is not SMTP: '2200 no'"],
  ['smtp', latin1('+OK POP3\r\n'), "L7RSP: the greeting is not SMTP: '+OK POP3'"],
  ['smtp', latin1('220-a\r\nno\r\n'), "L7RSP: the greeting is not SMTP: '220-a'"],
  ...[0, 2, 3, 4, 5, 6, 7, 9, 10].map(
    (kind): Row => [
      'pgsql',
      hex(`52 00000008 000000${kind.toString(16).padStart(2, '0')}`),
      'L7OK: PostgreSQL server is ok',
    ],
  ),
  ['pgsql', hex('52 00000008 00000001'), 'L7STS: PostgreSQL unknown error: bytes 52 00 00 00 08 00 00 00 01'],
  ['pgsql', latin1('RFB 003.008\n'), "L7STS: PostgreSQL unknown error: 'RFB 003.008'"],
  ['pgsql', hex('52 0000000c 000000'), 'wait'],
  ['pgsql', pgError('SFATAL\0C57P03\0Mthe database system is starting up\0\0').subarray(0, 20), 'wait'],
  [
    'pgsql',
    pgError('SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0'),
    'L7RSP: FATAL: the database system is starting up',
  ],
  ['pgsql', pgError('\0'), 'L7RSP: an error without words'],
  ['pgsql', latin1('EHLO what'), "L7RSP: not the answer of a PostgreSQL server: 'EHLO what'"],
  ['pgsql', latin1('N'), "L7STS: not the answer of a PostgreSQL server: 'N'"],
  ['greeting', MYSQL_GREETING, 'L7OK: 8.0.36'],
  ['greeting', MYSQL_GREETING.subarray(0, -1), 'wait'],
  ['greeting', hex('0500000009 352e31'), 'wait'],
  ['greeting', hex('0500000009 352e3100'), 'L7OK: 5.1'],
  ['greeting', hex('050000000b 352e3100'), 'L7RSP: not the answer of a MySQL server: bytes 05 00 00 00 0b 35 2e 31 00'],
  ['greeting', hex('040000000a 352e31'), 'L7RSP: not the answer of a MySQL server: bytes 04 00 00 00 0a 35 2e 31'],
  ['greeting', hex('050000010a 352e3100'), 'L7RSP: not the answer of a MySQL server: bytes 05 00 00 01 0a 35 2e 31 00'],
  [
    'greeting',
    Buffer.concat([hex('16000000 ff 6904'), latin1("Host 'x' is blocked")]),
    "L7STS 1129: error 1129: Host 'x' is blocked",
  ],
  ['greeting', hex('01000000 ff'), 'L7STS: an error without a number'],
  ['login', hex('07000002 00 00 00 0200 0000'), 'L7OK: 8.0.36'],
  ['login', hex('01000002 fe'), 'L7OK: 8.0.36'],
  ['login', hex('02000002 01 04'), 'L7OK: 8.0.36'],
  ['login', hex('01000002 0a'), 'L7RSP: not the answer of a MySQL server: bytes 01 00 00 02 0a'],
  ['login', Buffer.concat([hex('17000002 ff 1504'), latin1('#28000Access denied')]).subarray(0, -1), 'wait'],
  [
    'login',
    Buffer.concat([hex('16000002 ff 1504'), latin1('#28000Access denied')]),
    'L7STS 1045: error 1045: Access denied',
  ],
  ['ldap', hex('300c 020101 6107 0a0100 0400 0400'), 'L7OK: Success'],
  ['ldap', hex('3084 0000000d 020101 6107 0a0100 0400 0400'), 'wait'],
  ['ldap', hex('3084 00000010 020101 6184 00000007 0a0100 0400 0400'), 'L7OK: Success'],
  ['ldap', hex('3082 000c 020101 6107 0a0100 0400 0400'), 'L7OK: Success'],
  ['ldap', hex('300c 020101 6107 0a0131 0400 0400'), 'L7STS 49: result 49: see RFC 4511, appendix A'],
  ['ldap', Buffer.concat([hex('3010 020101 610b 0a0130 0400 0404'), latin1('none')]), 'L7STS 48: result 48: none'],
  [
    'ldap',
    hex('300c 020102 6107 0a0100 0400 0400'),
    /* message 2 */ notLdap('30 0c 02 01 02 61 07 0a 01 00 04 00 04 00'),
  ],
  ['ldap', hex('300c 020101 6507 0a0100 0400 0400'), notLdap('30 0c 02 01 01 65 07 0a 01 00 04 00 04 00')],
  ['ldap', hex('300c 020101 6109 0a0100 0400 0400'), notLdap('30 0c 02 01 01 61 09 0a 01 00 04 00 04 00')],
  ['ldap', hex('3084 7fffffff'), notLdap('30 84 7f ff ff ff')],
  ['ldap', hex('3080'), notLdap('30 80')],
  ['ldap', hex('30'), 'wait'],
  ['ldap', latin1('H'), "L7RSP: not the answer of an LDAPv3 server: 'H'"],
  ['ssl-hello', hex('15 0300 0002 0228'), 'L6OK: '],
  ['ssl-hello', hex('16 0301 0050'), 'L6OK: '],
  ['ssl-hello', hex('16 0301 00'), 'wait'],
  ['ssl-hello', hex('17 0301 0000'), 'L6RSP: not TLS: bytes 17 03 01 00 00'],
  ['spop', spopFrame(101, spopItems(V2, 'fcf006', CAPABILITIES)), 'L7OK: SPOA server is ok'],
  // What HAProxy's own agent spoa-mirror 1.2 said to our hello: as it starts, and with `--capability=fragmentation`.
  [
    'spop',
    hex(
      '00000036650000000100000776657273696f6e0803322e300e6d61782d6672616d652d73697a6503fcf0060c6361706162696c69746965730800',
    ),
    'L7OK: SPOA server is ok',
  ],
  [
    'spop',
    hex(
      '00000043650000000100000776657273696f6e0803322e300e6d61782d6672616d652d73697a6503fcf0060c6361706162696c6974696573080d667261676d656e746174696f6e',
    ),
    'L7OK: SPOA server is ok',
  ],
  [
    'spop',
    spopFrame(101, spopItems(`\x01x\x11\x01y\x06abcd${V2}`, 'fcf006', `${CAPABILITIES}\x01z\x04\x05`)),
    'L7OK: SPOA server is ok',
  ],
  ['spop', spopFrame(101, spopItems('', 'fcf006', CAPABILITIES)), 'L7RSP 5: the agent names no version'],
  [
    'spop',
    spopFrame(101, spopItems('\x07version\x08\x031.0', 'fcf006', CAPABILITIES)),
    'L7RSP 8: the agent speaks version 1.0, not 2.0',
  ],
  ['spop', spopFrame(101, spopItems(V2, 'fcf106', CAPABILITIES)), "L7RSP 9: the agent's max-frame-size is 16396"],
  ['spop', spopFrame(101, spopItems(V2, '7f', CAPABILITIES)), "L7RSP 9: the agent's max-frame-size is 127"],
  ['spop', spopFrame(101, latin1(V2 + CAPABILITIES)), 'L7RSP 6: the agent names no max-frame-size'],
  ['spop', spopFrame(101, spopItems(V2, 'fcf006', '')), 'L7RSP 7: the agent names no capabilities'],
  [
    'spop',
    spopFrame(102, latin1('\x0bstatus-code\x03\x0d\x07message\x08\x04full')),
    'L7RSP 13: the agent disconnects: full',
  ],
  ['spop', spopFrame(102, latin1('')), 'L7RSP: the agent disconnects: without a reason'],
  ['spop', spopFrame(101, latin1(V2)).subarray(0, -1), 'wait'],
  [
    'spop',
    spopFrame(101, latin1('\x09v')),
    'L7RSP: not the answer of an SPOP agent: bytes 00 00 00 09 65 00 00 00 01 00 00 09 76',
  ],
  [
    'spop',
    spopFrame(101, latin1('\x01v\x0f')),
    'L7RSP: not the answer of an SPOP agent: bytes 00 00 00 0a 65 00 00 00 01 00 00 01 76 0f',
  ],
  [
    'spop',
    spopFrame(103, latin1('')),
    'L7RSP: not the answer of an SPOP agent: bytes 00 00 00 07 67 00 00 00 01 00 00',
  ],
];

function notLdap(bytes: string): string {
  return `L7RSP: not the answer of an LDAPv3 server: bytes ${bytes}`;
}

function inShort(result: CheckResult | undefined): string {
  if (!result) return 'wait';
  return `${result.code}${result.status === undefined ? '' : ` ${result.status}`}: ${result.description}`;
}

for (const [reader, reply, expected] of ROWS)
  test(`${reader}: ${excerpt(reply)} is ${expected}`, () => {
    const result = READERS[reader]?.(reply);
    assert.equal(inShort(result), expected);
    if (result) assert.equal(result.result, result.code.endsWith('OK') ? 'passed' : 'failed');
  });

test('whatever comes, nothing throws, and what was said of the beginning holds for the whole', () => {
  const beginnings = ROWS.map(([, reply]) => reply);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc
      .tuple(fc.constantFrom(...beginnings), fc.nat(40), fc.uint8Array({ maxLength: 8 }))
      .map(([reply, at, other]) => Buffer.concat([reply.subarray(0, at), other, reply.subarray(at + other.length)])),
  );
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(READERS)), bytes, (reader, array) => {
      const reply = Buffer.from(array);
      const verdicts = Array.from({ length: reply.length }, (_, index) => reader(reply.subarray(0, index + 1)));
      const first = verdicts.find((verdict) => verdict !== undefined);
      if (first) for (const later of verdicts.slice(verdicts.indexOf(first))) assert.equal(later?.result, first.result);
    }),
    { numRuns: 2000 },
  );
});

test('a startup message counts bytes, not letters', () => {
  assert.deepEqual(startupMessage('jörg'), hex('00000014 00030000 7573657200 6ac3b6726700 00'));
});

test('a health request of gRPC is a frame with the name of the service', () => {
  assert.deepEqual(healthRequest(''), hex('00 00000000'));
  assert.deepEqual(healthRequest('a.B'), hex('00 00000005 0a 03 612e42'));
  const long = 'x'.repeat(200);
  assert.deepEqual(healthRequest(long), Buffer.concat([hex('00 000000cb 0a c801'), latin1(long)]));
});

test('the status in a health response of gRPC', () => {
  assert.equal(servingStatus(hex('00 00000000')), 0);
  assert.equal(servingStatus(hex('00 00000002 08 01')), 1);
  assert.equal(servingStatus(hex('00 00000002 08 02')), 2);
  for (const none of ['', '00 000000', '01 00000002 08 01', '00 00000003 08 01', '00 00000002 10 01', '00 00000001 08'])
    assert.equal(servingStatus(hex(none)), undefined, none);
});
