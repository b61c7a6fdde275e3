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

/** What a fragment begins with. */
export const FRAGMENT_IMPORTS = `import http from 'node:http';\nimport { Pool } from 'evenkeel';\n`;
const FRAGMENT_SERVERS = `const servers = ['http://127.0.0.1:3001', 'http://127.0.0.1:3002'];\n`;

/** A block without imports is a fragment. */
export function isProgram(code: string): boolean {
  return /^import /m.test(code);
}

/** It has an option `servers` without a value. */
export function takesServers(code: string): boolean {
  return /(?:\{|,|^) *servers(?:,| \})/m.test(code);
}

export function withImports(code: string): string {
  if (isProgram(code)) return code;
  return `${FRAGMENT_IMPORTS}${takesServers(code) ? FRAGMENT_SERVERS : ''}${code}`;
}
