const SLASH = 47;

/** How a framework's router compares paths. */
export interface RouterRules {
  readonly caseSensitive: boolean;
  /** A `;` ends the path as `?` does. */
  readonly semicolonEndsPath: boolean;
}

/**
 * The path under which a framework has mounted us, segment by segment: a router decodes what it compares, skips doubled
 * slashes and lets parameters (`:name`) stand for any segment, so lengths and bytes need not be those of the path as declared.
 */
export class MountPath {
  /** `undefined` stands for any segment. */
  readonly #segments: readonly (string | undefined)[];
  readonly #rules: RouterRules;

  /** @param path as declared to the framework: `/api`, `/:tenant/api` */
  constructor(path: string, rules: RouterRules) {
    this.#rules = rules;
    this.#segments = path
      .split('/')
      .filter((segment) => segment !== '')
      .map((segment) => (/[:*]/.test(segment) ? undefined : this.#comparable(segment)));
  }

  /** How much of a target the path covers, in characters; -1 when the target is not at or below it. */
  coverage(url: string): number {
    const start = originLength(url);
    let end = start;
    for (const segment of this.#segments) {
      const from = this.#skipSlashes(url, end);
      const to = this.#endOfSegment(url, from);
      if (from === end || to === from) return -1;
      if (segment !== undefined && this.#comparable(url.slice(from, to)) !== segment) return -1;
      end = to;
    }
    return end - start;
  }

  /** The target without the path, of which the framework has already found that it is there. */
  strip(url: string): string {
    if (this.#segments.length === 0) return url;
    const start = originLength(url);
    let end = start;
    for (const _ of this.#segments) end = this.#endOfSegment(url, this.#skipSlashes(url, end));
    return `${url.slice(0, start)}${url.charCodeAt(end) === SLASH ? '' : '/'}${url.slice(end)}`;
  }

  #skipSlashes(url: string, from: number): number {
    let index = from;
    while (url.charCodeAt(index) === SLASH) index++;
    return index;
  }

  #endOfSegment(url: string, from: number): number {
    let index = from;
    while (index < url.length && !this.#endsSegment(url[index] as string)) index++;
    return index;
  }

  #endsSegment(character: string): boolean {
    return (
      character === '/' ||
      character === '?' ||
      character === '#' ||
      (character === ';' && this.#rules.semicolonEndsPath)
    );
  }

  #comparable(segment: string): string {
    const decoded = decode(segment);
    return this.#rules.caseSensitive ? decoded : decoded.toLowerCase();
  }
}

/** Characters of a target before its path: none, but for the absolute form (RFC 9112 §3.2.2). */
export function originLength(url: string): number {
  if (url.charCodeAt(0) === SLASH) return 0;
  return /^https?:\/\/[^/?#]*/i.exec(url)?.[0].length ?? 0;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
