import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesBelow, ROOT } from './source-files.ts';

/** One key of an interface of options, as its author declared and described it. */
export interface DeclaredOption {
  readonly key: string;
  /** Its TSDoc, on one line. */
  readonly description: string;
  /** What the TSDoc says after `Default:`, without quotes and back-ticks. */
  readonly default: string | undefined;
  /** HAProxy's keywords that the TSDoc names after `HAProxy:`. */
  readonly keywords: readonly string[];
}

/** Every exported interface of `src/` by name, with its own keys: not those that it inherits. */
export function declaredInterfaces(): ReadonlyMap<string, readonly DeclaredOption[]> {
  const found = new Map<string, readonly DeclaredOption[]>();
  for (const path of filesBelow('src')) {
    const text = readFileSync(join(ROOT, path), 'utf8');
    // The formatter sees to it that an interface ends at a brace in the first column.
    for (const [, name = '', body = ''] of text.matchAll(/^export interface (\w+)[^{]*\{(?:\}|\n([\s\S]*?)^\})$/gm))
      found.set(name, membersOf(body));
  }
  return found;
}

const MEMBER = /(?:^ {2}\/\*\*([\s\S]*?)\*\/\n)?^ {2}(?:readonly )?(?:'([^'\n]+)'|(\w+))\??[:(<]/gm;

function membersOf(body: string): DeclaredOption[] {
  return [...body.matchAll(MEMBER)].map(([, comment = '', quoted, plain]) => {
    const description = comment.replaceAll(/\s*\n\s*\*?\s*/g, ' ').trim();
    const stated = /\bDefault: (.*?)(?:\.(?:\s|$)|[;,] |$)/.exec(description)?.[1];
    return {
      key: quoted ?? plain ?? '',
      description,
      default: stated?.replaceAll(/[`'"]/g, ''),
      keywords: [...description.matchAll(/HAProxy: `([^`]+)`/g)].map(([, keyword = '']) => keyword),
    };
  });
}

/** What a class shows of itself, at one level of indentation: no `#`, no `private`, nothing that is `@internal`. */
const CLASS_MEMBER = /^ {2}(?:(?:override|readonly|async|static) )*(?:get )?(\w+|\[Symbol\.\w+\])\??[:(<=]/;

/** A member with `@internal` in its comment. */
const INTERNAL = /^ {2}\/\*\*(?:(?!\*\/)[\s\S])*@internal(?:(?!\*\/)[\s\S])*\*\/\n.*$/gm;

/** Every exported class of `src/` by name, with its own public members: not those that it inherits. */
export function declaredClasses(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const path of filesBelow('src')) {
    const text = readFileSync(join(ROOT, path), 'utf8').replaceAll(INTERNAL, '');
    for (const [, name = '', body = ''] of text.matchAll(
      /^export (?:abstract )?class (\w+)[^{]*\{\n([\s\S]*?)^\}$/gm,
    )) {
      const members = body.split('\n').flatMap((line) => CLASS_MEMBER.exec(line)?.[1] ?? []);
      found.set(name, [...new Set(members)]);
    }
  }
  return found;
}
