import type { Hints } from '../core/options.ts';

/** Of keys of `cookie`: the attributes of cookies, and what stands elsewhere. */
export const COOKIE_HINTS: Hints = {
  maxAge: "did you mean 'maxlife', or 'maxidle'?",
  expires: "did you mean 'maxlife', or 'maxidle'?",
  sameSite: "did you mean attr: 'SameSite=Lax'?",
  path: 'it is always /',
  insert: "did you mean mode: 'insert'?",
  prefix: "did you mean mode: 'prefix'?",
  rewrite: "did you mean mode: 'rewrite'?",
  key: "it is the pool's option 'dynamicCookieKey', or of a cookie that is signed sign: { keys: [ … ] }",
  keys: 'did you mean sign: { keys: [ … ] }?',
  secret: 'did you mean sign: { keys: [ … ] }?',
  dynamicCookieKey: 'it is an option of the pool',
};

/** Of keys of `sign`. */
export const SIGN_HINTS: Hints = Object.fromEntries(
  ['key', 'secret', 'secrets'].map((key) => [key, 'did you mean keys: [ … ]?']),
);

/** Of keys of a stick rule. */
export const STICK_HINTS: Hints = {
  ...Object.fromEntries(['key', 'by', 'stick', 'stickOn'].map((key) => [key, "did you mean 'on'?"])),
  ...{
    store: "did you mean 'storeRequest' or 'storeResponse'?",
    unless: "did you mean 'if', of what returns the opposite?",
  },
  ...{ stickTable: "did you mean 'table'?" },
};

/** Of keys of a stick table. */
export const STICK_TABLE_HINTS: Hints = {
  ...Object.fromEntries(['max', 'maxSize', 'maxEntries', 'entries'].map((key) => [key, "did you mean 'size'?"])),
  ...Object.fromEntries(['ttl', 'maxAge', 'timeout'].map((key) => [key, "did you mean 'expire'?"])),
  ...Object.fromEntries(['data', 'counters', 'dataTypes'].map((key) => [key, "did you mean 'store'?"])),
  ...{ key: "did you mean 'type'?", length: "did you mean 'len'?" },
};
