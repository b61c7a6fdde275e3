import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesBelow, ROOT } from './source-files.ts';

/** A fenced block of JavaScript or TypeScript in the README or in docs/. */
export interface Example {
  readonly page: string;
  /** From 1, within its page. */
  readonly number: number;
  readonly language: 'js' | 'ts';
  /** `file=…` behind the fence's language. */
  readonly file: string | undefined;
  readonly code: string;
  /** The text in the fence right behind it: what it prints. */
  readonly prints: string | undefined;
}

export function everyExample(): Example[] {
  return ['README.md', ...filesBelow('docs').filter((path) => path.endsWith('.md'))].flatMap(examplesOf);
}

function examplesOf(page: string): Example[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const fences = /^```(js|ts)(?: file=(\S+))?\n([\s\S]*?)^```$(?:\n\n```text\n([\s\S]*?)^```$)?/gm;
  return [...text.matchAll(fences)].map(([, language, file, code = '', prints], index) => ({
    page,
    number: index + 1,
    language: language as 'js' | 'ts',
    file,
    code,
    prints,
  }));
}

const FRAGMENT_IMPORTS = `import http from 'node:http';\nimport { Pool } from 'evenkeel';\n`;
const FRAGMENT_SERVERS = `const servers = ['http://127.0.0.1:3001', 'http://127.0.0.1:3002'];\n`;

/** A block without imports is a fragment, and gets those that the page has shown before. */
export function withImports(code: string): string {
  if (/^import /m.test(code)) return code;
  const servers = /\bservers\b(?!:)/.test(code) && !/const servers\b/.test(code) ? FRAGMENT_SERVERS : '';
  return `${FRAGMENT_IMPORTS}${servers}${code}`;
}
