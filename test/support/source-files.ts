import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, posix, relative, sep } from 'node:path';

/** Root of the repository. */
export const ROOT: string = join(import.meta.dirname, '../..');

/** One TypeScript file, as the tests of the repository itself look at it. */
export interface SourceFile {
  /** From the root of the repository, with `/`: `src/core/units.ts`. */
  readonly path: string;
  readonly name: string;
  readonly lines: number;
  /** The text without comments, and with nothing inside its strings. */
  readonly code: string;
  /** What it imports or exports from, as written; `import type` and `import('…')` too. */
  readonly imports: readonly string[];
  /** Those of them that are still there when the types are gone. */
  readonly runtimeImports: readonly string[];
}

/** Every TypeScript file below a folder of the repository. */
export function sourceFiles(folder: string): SourceFile[] {
  return filesBelow(folder)
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readSource(path, readFileSync(join(ROOT, path), 'utf8')));
}

/** Paths of all files below a folder, from the root of the repository, sorted. */
export function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

/** The file of the repository that a relative import means. */
export function resolveImport(from: string, specifier: string): string {
  return posix.join(posix.dirname(from), specifier);
}

/** A comment, a string, a template without its `${}`s told apart, or a regular expression where one may stand. */
const TOKENS =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|(?<=[(,=:[!&|?{};>]\s*|return\s+)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/g;

export function readSource(path: string, text: string): SourceFile {
  const imports: string[] = [];
  const runtimeImports: string[] = [];
  const code = text.replace(TOKENS, (token: string, offset: number) => {
    if (token.startsWith('/')) return token.startsWith('//') || token.startsWith('/*') ? ' ' : '/ /';
    if (token.startsWith('`')) return expressionsOf(token);
    const statement = text.slice(text.lastIndexOf(';', offset) + 1, offset);
    if (/(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\(\s*)$/.test(statement)) {
      imports.push(token.slice(1, -1));
      if (!/^\s*(?:import|export) type\b(?! from\b)/m.test(statement)) runtimeImports.push(token.slice(1, -1));
    }
    return "''";
  });
  return { path, name: basename(path), lines: text.split('\n').length - 1, code, imports, runtimeImports };
}

/** A template may compute: what stands in its `${}` is code. */
function expressionsOf(template: string): string {
  return `(${[...template.matchAll(/\$\{([^{}]*)\}/g)].map(([, expression]) => expression).join(')+(')})`;
}
