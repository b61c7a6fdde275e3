import type { CookieRequest, CookieScenario, CookieServer } from './cookie-record.ts';
import { seededRandom } from './virtual-clock.ts';

/** A scenario of that seed: any mode, servers in any state, and `Cookie` and `Set-Cookie` fields put together by chance. */
export function randomCookies(seed: number, name = `random ${seed}`): CookieScenario {
  const random = seededRandom(seed);
  const integer = (below: number): number => Math.floor(random() * below);
  const one = <T>(...of: readonly T[]): T => of[integer(of.length)] as T;
  const some = <T>(most: number, draw: () => T): T[] => Array.from({ length: integer(most + 1) }, draw);
  const flag = (word: string): string => (random() < 0.35 ? ` ${word}` : '');
  const mode = one('', ' prefix', ' rewrite', ' insert', ' insert', ' insert', ' insert');
  const indirect = mode === ' rewrite' ? '' : one('', ' indirect');
  const preserve = mode === ' insert' || indirect !== '' ? flag('preserve') : '';
  const limits = mode === ' insert' ? flag('maxidle 30m') + flag('maxlife 8h') + flag('httponly') + flag('secure') : '';
  const cookie = `SRV${mode}${indirect}${preserve}${flag('nocache')}${flag('postonly')}${limits}`;
  const blank = (): string => one('', '', '', '', '', ' ', '\t', '  ');
  const date = (): string =>
    one('', '|<now>', '|<now-3>', '|<now-500>', '|<now-5000>', '|<now-50000>', '|AAAAA', '|x', '|<now+99999>');
  const value = (): string =>
    one('', 'a', 'b', 'c', 'd', 'e', 'zz', '"a"', '"a;b"', 'a b') +
    one('', '', date() + date()) +
    one('', '', '', '~', '~own');
  const crumb = (): string => {
    const own = one('SRV', 'SRV', 'x', 'y', 'SRVX', '$Path', 'srv', '');
    return `${blank()}${own}${random() < 0.1 ? '' : `${blank()}=${blank()}${value()}`}${blank()}`;
  };
  const field = (): string => {
    const pieces = some(6, crumb);
    const text = pieces
      .map((piece) => piece + one(';', ';', '; ', ','))
      .join('')
      .slice(0, random() < 0.3 ? undefined : -1);
    // Node gives fields without blanks around them, and HAProxy reads them so.
    return text.replaceAll(/^[ \t]+|[ \t]+$/g, '');
  };
  const setCookie = (): readonly [string, string] => [
    'Set-Cookie',
    `${one('SRV', 'SRV', 'x', 'SRVX')}${blank()}=${blank()}${value()}${one('', '; path=/', ' ; Max-Age=0')}`,
  ];
  const cache = (): readonly [string, string] => [
    'Cache-Control',
    one('public', 'private', 'max-age=60', 'no-store', 'a, b'),
  ];
  const servers = ['a', 'b', 'c', 'd', 'a'].map((own, index): CookieServer => {
    const state =
      index === 1 ? undefined : one<CookieServer['state']>(undefined, undefined, undefined, 'maint', 'drain', 'down');
    return {
      name: `s${index + 1}`,
      ...(random() < 0.85 && { cookie: own }),
      ...(index > 2 && random() < 0.3 && { backup: true }),
      ...(state && { state }),
    };
  });
  const request = (): CookieRequest => ({
    ...(random() < 0.4 && { method: one('POST', 'HEAD', 'PUT') }),
    ...(random() < 0.9 && { cookies: [field()].filter((text) => text !== '') }),
    ...(random() < 0.1 && { persist: one('force', 'ignore') }),
    ...(random() < 0.1 && { use: one('s1', 's2', 's3') }),
    ...(random() < 0.2 && { status: one(204, 301, 302, 404, 500) }),
    answer: [...some(2, setCookie), ...some(1, cache), ['ETag', '"1"'] as const],
  });
  return {
    name,
    cookie,
    ...(random() < 0.2 && { backend: ['option persist'] }),
    servers,
    requests: Array.from({ length: 30 }, request),
  };
}
