import type { HttpCheckOptions, HttpStep } from '#src/health/http-check.ts';
import type { CheckDefinition } from '#src/health/index.ts';
import type { TcpStep } from '#src/health/tcp-steps.ts';

/** What a server says as soon as it is connected to, and to what it is sent; and whether it closes then. */
export interface Script {
  readonly greeting?: string;
  readonly answer?: string;
  readonly close?: boolean;
}

/** A check in HAProxy's rules and in ours, of a server that behaves so, and how it ends. */
export interface Verdict {
  readonly server: Script;
  readonly rules: readonly string[];
  readonly check: CheckDefinition;
  readonly code: string;
}

function tcp(server: Script, rules: string, code: string, ...steps: TcpStep[]): Verdict {
  return {
    server,
    rules: ['option tcp-check', ...rules.split('; ').map((rule) => `tcp-check ${rule}`)],
    check: { steps },
    code,
  };
}

function http(
  server: Script,
  rules: string,
  code: string,
  check: Omit<HttpCheckOptions, 'type'> | { steps: readonly HttpStep[] },
): Verdict {
  const lines = rules === '' ? [] : rules.split('; ').map((rule) => `http-check ${rule}`);
  return { server, rules: ['option httpchk', ...lines], check: { type: 'http', ...check } as CheckDefinition, code };
}

const HELLO = { greeting: 'hello world' };
const BYE = { greeting: 'hello world', close: true };
const SILENT = {};
const MUTE = { close: true };
const ECHO = { answer: 'pong' };

const answer = (status: string, fields = '', body = ''): Script => ({
  answer: `HTTP/1.1 ${status}\r\nConnection: close\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`,
  close: true,
});

/** How HAProxy 2.6.12 ended each of these: `live-haproxy-verdicts.test.ts` asks the one that is installed. */
export const VERDICTS: readonly Verdict[] = [
  tcp(SILENT, 'connect', 'L4OK', { connect: true }),
  tcp(MUTE, 'connect', 'L4OK', { connect: true }),
  tcp(SILENT, 'send ping', 'L7OK', { send: 'ping' }),
  tcp(SILENT, 'connect; comment x; send ping', 'L7OK', { connect: true }, { comment: 'x' }, { send: 'ping' }),
  tcp(ECHO, 'send ping; expect string pong', 'L7OK', { send: 'ping' }, { expect: 'string pong' }),
  tcp(
    ECHO,
    'send-binary 70696e67; expect binary 706f6e67',
    'L7OK',
    { sendBinary: '70696e67' },
    { expect: 'binary 706f6e67' },
  ),
  tcp(HELLO, 'expect string hello', 'L7OK', { expect: 'string hello' }),
  tcp(HELLO, 'expect string nope', 'L7TOUT', { expect: 'string nope' }),
  tcp(BYE, 'expect string nope', 'L7RSP', { expect: 'string nope' }),
  tcp(HELLO, 'expect min-recv 0 string nope', 'L7RSP', { expect: { string: 'nope', minRecv: 0 } }),
  tcp(HELLO, 'expect min-recv 11 string nope', 'L7RSP', { expect: { string: 'nope', minRecv: 11 } }),
  tcp(HELLO, 'expect min-recv 12 string nope', 'L7TOUT', { expect: { string: 'nope', minRecv: 12 } }),
  tcp(HELLO, 'expect min-recv 12 string hello', 'L7TOUT', { expect: { string: 'hello', minRecv: 12 } }),
  tcp(BYE, 'expect min-recv 12 string hello', 'L7OK', { expect: { string: 'hello', minRecv: 12 } }),
  tcp(HELLO, 'expect min-recv 0 string hello-world-and-more', 'L7TOUT', {
    expect: { string: 'hello-world-and-more', minRecv: 0 },
  }),
  tcp(HELLO, 'expect ! string hello', 'L7RSP', { expect: '! string hello' }),
  tcp(HELLO, 'expect ! string nope', 'L7TOUT', { expect: '! string nope' }),
  tcp(BYE, 'expect ! string nope', 'L7OK', { expect: '! string nope' }),
  tcp(HELLO, 'expect min-recv 0 ! string nope', 'L7OK', { expect: { string: 'nope', not: true, minRecv: 0 } }),
  tcp(HELLO, 'expect rstring ^hel+o', 'L7OK', { expect: 'rstring ^hel+o' }),
  tcp(BYE, 'expect rstring ^world', 'L7RSP', { expect: 'rstring ^world' }),
  tcp(HELLO, 'expect ! rstring ^hel+o', 'L7RSP', { expect: '! rstring ^hel+o' }),
  tcp(HELLO, 'expect rbinary ^68656C', 'L7OK', { expect: 'rbinary ^68656C' }),
  tcp(BYE, 'expect rbinary ^68656c', 'L7RSP', { expect: 'rbinary ^68656c' }),
  tcp(HELLO, 'expect binary 776f72', 'L7OK', { expect: 'binary 776f72' }),
  tcp(MUTE, 'expect string x', 'L7RSP', { expect: 'string x' }),
  tcp(MUTE, 'expect ! string x', 'L7RSP', { expect: '! string x' }),
  tcp(SILENT, 'expect string x', 'L7TOUT', { expect: 'string x' }),
  tcp(SILENT, 'expect tout-status L4TOUT string x', 'L4TOUT', { expect: { string: 'x', toutStatus: 'L4TOUT' } }),
  tcp(BYE, 'expect error-status L7STS string x', 'L7STS', { expect: { string: 'x', errorStatus: 'L7STS' } }),
  tcp(BYE, 'expect error-status L7OKC string x', 'L7OKC', { expect: { string: 'x', errorStatus: 'L7OKC' } }),
  tcp(BYE, 'expect ok-status L6OK string hello', 'L6OK', { expect: { string: 'hello', okStatus: 'L6OK' } }),
  tcp(
    HELLO,
    'expect string world; expect string hello',
    'L7OK',
    { expect: 'string world' },
    { expect: 'string hello' },
  ),
  tcp(
    { greeting: 'hello', answer: 'pong' },
    'expect string hello; send ping; expect string pong; expect min-recv 0 string hello',
    'L7TOUT',
    ...([{ expect: 'string hello' }, { send: 'ping' }, { expect: 'string pong' }] as const),
    { expect: { string: 'hello', minRecv: 0 } },
  ),
  tcp(
    { greeting: 'hello', answer: 'pong' },
    'expect string hello; send ping; expect string pong; expect min-recv 0 string hel',
    'L7RSP',
    ...([{ expect: 'string hello' }, { send: 'ping' }, { expect: 'string pong' }] as const),
    { expect: { string: 'hel', minRecv: 0 } },
  ),
  tcp(
    HELLO,
    'connect; expect string hello; connect; expect string world',
    'L7OK',
    {
      connect: true,
    },
    { expect: 'string hello' },
    { connect: true },
    { expect: 'string world' },
  ),
  tcp(
    ECHO,
    'set-var(check.x) str(pong); send-lf %[str(ping)]; expect string-lf %[var(check.x)]',
    'L7OK',
    { setVar: { x: 'pong' } },
    { send: () => 'ping' },
    { expect: { string: ({ vars }) => String(vars['x']) } },
  ),
  tcp(
    ECHO,
    'set-var(check.x) str(ping); send ping; expect min-recv 0 string-lf %[var(check.x)]',
    'L7RSP',
    { setVar: { x: 'ping' } },
    { send: 'ping' },
    { expect: { string: ({ vars }) => String(vars['x']), minRecv: 0 } },
  ),
  tcp(
    HELLO,
    'expect string hello; set-var(check.x) str(world); expect string-lf %[var(check.x)]',
    'L7OK',
    { expect: 'string hello' },
    { setVar: { x: () => 'world' } },
    { expect: { string: ({ vars }) => String(vars['x']) } },
  ),
  tcp(HELLO, 'connect; set-var(check.x) int(1)', 'L4OK', { connect: true }, { setVar: { x: 1 } }),
  tcp(HELLO, 'expect string hello; set-var(check.x) int(1)', 'L7OK', { expect: 'string hello' }, { setVar: { x: 1 } }),
  tcp(
    ECHO,
    'send-binary-lf %[str(ping),hex]; expect binary-lf %[str(pong),hex]',
    'L7OK',
    { send: () => Buffer.from('ping') },
    { expect: { string: () => Buffer.from('pong') } },
  ),

  http(answer('200 OK'), '', 'L7OK', {}),
  http(answer('302 Found', 'Location: /x\r\n'), '', 'L7OK', {}),
  http(answer('404 Lost'), '', 'L7STS', {}),
  http(answer('404 Lost'), 'expect status 404', 'L7OK', { expect: 'status 404' }),
  http(answer('404 Lost'), 'expect status 200,400-403', 'L7STS', { expect: 'status 200,400-403' }),
  http(answer('404 Lost'), 'expect ! status 500-599', 'L7OK', { expect: '! status 500-599' }),
  http(answer('404 Lost'), 'expect rstatus ^4', 'L7OK', { expect: 'rstatus ^4' }),
  http(answer('404 Lost'), 'expect ! rstatus ^4', 'L7STS', { expect: '! rstatus ^4' }),
  http(answer('404 Lost'), 'expect ok-status L7OKC status 404', 'L7OKC', {
    expect: { status: 404, okStatus: 'L7OKC' },
  }),
  http(answer('404 Lost'), 'expect error-status L4CON status 200', 'L4CON', {
    expect: { status: 200, errorStatus: 'L4CON' },
  }),
  http(answer('200 OK', 'X-Role: a, b\r\n'), 'expect hdr name x-role', 'L7OK', { expect: 'hdr name x-role' }),
  http(answer('200 OK', 'X-Role: a, b\r\n'), 'expect hdr name X-ROLE value b', 'L7OK', {
    expect: 'hdr name X-ROLE value b',
  }),
  http(answer('200 OK', 'X-Role: a, b\r\n'), 'expect hdr name x-role value B', 'L7STS', {
    expect: 'hdr name x-role value B',
  }),
  http(answer('200 OK', 'X-Role: a, b\r\n'), 'expect ! hdr name x-role value b', 'L7STS', {
    expect: '! hdr name x-role value b',
  }),
  http(answer('200 OK', 'X-Role: a, b\r\n'), 'expect fhdr name x-role value "a, b"', 'L7OK', {
    expect: 'fhdr name x-role value a, b',
  }),
  http(answer('200 OK', 'X-Role: a, b\r\n'), 'expect fhdr name x-role value b', 'L7STS', {
    expect: 'fhdr name x-role value b',
  }),
  http(answer('200 OK', 'X-Role: ab\r\n'), 'expect hdr name -m beg x- value -m end b', 'L7OK', {
    expect: 'hdr name -m beg x- value -m end b',
  }),
  http(answer('200 OK', 'X-Role: ab\r\n'), 'expect hdr name -m sub rol value -m reg ^a', 'L7OK', {
    expect: 'hdr name -m sub rol value -m reg ^a',
  }),
  http(answer('200 OK', 'X-Role: ab\r\n'), 'expect hdr name x-none', 'L7STS', { expect: 'hdr name x-none' }),
  http(answer('200 OK', '', 'all is well'), 'expect string well', 'L7OK', { expect: 'string well' }),
  http(answer('200 OK', '', 'all is well'), 'expect string ill', 'L7RSP', { expect: 'string ill' }),
  http(answer('200 OK', '', 'all is well'), 'expect ! string well', 'L7RSP', { expect: '! string well' }),
  http(answer('200 OK', '', 'all is well'), 'expect ! string ill', 'L7OK', { expect: '! string ill' }),
  http(answer('200 OK', '', 'all is well'), 'expect rstring ^all.*well$', 'L7OK', { expect: 'rstring ^all.*well$' }),
  http(answer('200 OK', '', 'all is well'), 'expect rstring ^well', 'L7RSP', { expect: 'rstring ^well' }),
  http(answer('200 OK'), 'expect string x', 'L7RSP', { expect: 'string x' }),
  http(answer('200 OK'), 'expect ! string x', 'L7RSP', { expect: '! string x' }),
  http(answer('503 No', '', 'all is well'), 'expect string well', 'L7OK', { expect: 'string well' }),
  http(answer('503 No', '', 'well'), 'expect status 200; expect string well', 'L7STS', {
    expect: ['status 200', 'string well'],
  }),
  http(
    answer('200 OK', '', 'all is well'),
    'send uri-lf /%[srv_name] hdr x-s %[srv_name] body-lf %[srv_name]',
    'L7OK',
    {
      uri: ({ server }) => `/${server.name}`,
      headers: { 'X-S': ({ server }) => server.name },
      body: ({ server }) => server.name,
    },
  ),
  http(answer('200 OK', '', 'all is well'), 'expect string-lf %[str(well)]', 'L7OK', {
    expect: { string: () => 'well' },
  }),
  http(answer('200 OK', '', 'all is well'), 'expect ! string-lf %[str(well)]', 'L7RSP', {
    expect: { string: () => 'well', not: true },
  }),
  http(answer('200 OK', 'X-Role: ab\r\n'), 'expect hdr name-lf %[str(x-role)] value-lf -m beg %[str(a)]', 'L7OK', {
    expect: { hdr: { name: () => 'x-role', value: { beg: () => 'a' } } },
  }),
  http(answer('200 OK', 'X-Role: ab\r\n'), 'expect hdr name x-role value-lf %[str(b)]', 'L7STS', {
    expect: { hdr: { name: 'x-role', value: () => 'b' } },
  }),
  http({ answer: 'SSH-2.0-x\r\n', close: true }, '', 'L7RSP', {}),
  http({ answer: '', close: false }, '', 'L7TOUT', {}),
  http({ answer: 'HTTP/1.1 200 OK\r\n' }, '', 'L7TOUT', {}),
  http({ answer: 'HTTP/1.1 200 OK\r\n', close: true }, '', 'L7RSP', {}),
  http({ answer: 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok' }, 'expect string ok', 'L7OK', {
    expect: 'string ok',
  }),
  http({ answer: 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok' }, 'expect string no', 'L7TOUT', {
    expect: 'string no',
  }),
  http(
    answer('200 OK', '', 'x'),
    'connect; send meth GET uri /a; expect status 200; connect; send meth GET uri /b; expect string x',
    'L7OK',
    {
      steps: [
        { connect: true },
        { send: { uri: '/a' } },
        { expect: 'status 200' },
        { connect: true },
        { send: { uri: '/b' } },
        { expect: 'string x' },
      ],
    },
  ),
];
