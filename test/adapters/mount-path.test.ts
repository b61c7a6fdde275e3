import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MountPath, originLength } from '#src/adapters/mount-path.ts';

const STRICT = { caseSensitive: true, semicolonEndsPath: false };

test('a path covers what is at or below it, as a router compares: decoded, slashes doubled, parameters for anything', () => {
  const covered: [string, string, number][] = [
    ['/api', '/api', 4],
    ['/api', '/api/x', 4],
    ['/api', '/api?x', 4],
    ['/api', '/%61pi/x', 6],
    ['/api', '//api/x', 5],
    ['/api', 'http://a.test/api/x', 4],
    ['/api/', '/api', 4],
    ['/:shop/api', '/a%2Fb/api/x', 10],
    ['', '/x', 0],
    ['/', '*', 0],
    ['/api', '/apix', -1],
    ['/api', '/ap', -1],
    ['/api', '/API', -1],
    ['/api', '/', -1],
    ['/api', '/x/api', -1],
    ['/api', '/api;x', -1],
    ['/api', '/%zz', -1],
    ['/api', 'api', -1],
    ['/api', 'http://api', -1],
    ['/:shop/api', '/api', -1],
  ];
  for (const [path, url, length] of covered)
    assert.equal(new MountPath(path, STRICT).coverage(url), length, `${path} of ${url}`);
  assert.equal(new MountPath('/Api', { ...STRICT, caseSensitive: false }).coverage('/aPI'), 4);
  assert.equal(new MountPath('/api', { ...STRICT, semicolonEndsPath: true }).coverage('/api;x'), 4);
});

test('the path is taken off, the origin of an absolute target kept', () => {
  const stripped: [string, string, string][] = [
    ['/api', '/api', '/'],
    ['/api', '/api?x', '/?x'],
    ['/api', '//api//x', '//x'],
    ['/api', 'https://a.test:1/api/x', 'https://a.test:1/x'],
    ['/:a/:b', '/x/y?z', '/?z'],
    ['', '//x', '//x'],
  ];
  for (const [path, url, rest] of stripped) assert.equal(new MountPath(path, STRICT).strip(url), rest);
  assert.equal(new MountPath('/api', { ...STRICT, semicolonEndsPath: true }).strip('/api;x'), '/;x');
});

test('what is behind the path is kept to the byte', () => {
  const segment = fc.stringMatching(/^[a-z0-9%._~-]{1,6}$/);
  const rest = fc.stringMatching(/^(?:[/?][\x21-\x7e]{0,20})?$/);
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1, maxLength: 3 }), rest, (segments, behind) => {
      const path = `/${segments.join('/')}`;
      const mount = new MountPath(path, STRICT);
      assert.equal(mount.coverage(path + behind), path.length);
      assert.equal(mount.strip(path + behind), behind.startsWith('/') ? behind : `/${behind}`);
    }),
  );
});

test('only a scheme of HTTP and its authority come before a path', () => {
  const lengths: [string, number][] = [
    ['/x', 0],
    ['http://a/x', 8],
    ['HTTPS://a:1?x', 11],
    ['http://a', 8],
    ['ftp://a/x', 0],
    ['*', 0],
    ['', 0],
  ];
  for (const [target, length] of lengths) assert.equal(originLength(target), length, target);
});
