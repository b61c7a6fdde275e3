import { isBlank } from '../core/field-text.ts';
import { isNamed, noParts, PREFIX_END, readParts } from './cookie-text.ts';

/**
 * What becomes of the pool's cookies in a `Cookie` field: they stay, are removed, or lose what is before the first `~` of
 * their value and that `~`.
 */
export type CookieTreatment = 'keep' | 'remove' | 'unprefix';

/** A `Cookie` field, read. */
export interface CookieField {
  /** The values of the pool's cookies as they came, in order. */
  readonly values: readonly string[];
  /** What goes to the server; `undefined`: no such field. The same string where nothing has changed. */
  readonly forwarded: string | undefined;
}

const DOLLAR = 36;
const NONE: readonly string[] = [];
const BLANKS_AT_EQUALS = /[ \t]=|=[ \t]/;

/**
 * Finds the cookies of one name in a `Cookie` field, and takes them out if told so. As HAProxy does: `,` delimits as `;` does;
 * blanks round a `=` go, of other cookies' too; attributes (`$Path`) go with the cookie before them; what has no `=` stays; and
 * where nothing but attributes is left, the field goes. Takes time in proportion to the field's length.
 * @see HAProxy http_ana.c:http_manage_client_side_cookies, http_del_hdr_value
 */
export function readCookieField(field: string, name: string, treatment: CookieTreatment): CookieField {
  if (!field.includes(name) && !BLANKS_AT_EQUALS.test(field)) return { values: NONE, forwarded: field };
  const values: string[] = [];
  const kept = new KeptCookies();
  const parts = noParts();
  let changed = false;
  let preserved = false;
  for (let start = 0, first = true; start < field.length; start = parts.next, first = false) {
    readParts(field, first ? start : start + 1, true, parts);
    const { nameStart, nameEnd, equals, valueStart, valueEnd, next } = parts;
    if (field.charCodeAt(nameStart) === DOLLAR) {
      kept.follow(field, start, next);
      continue;
    }
    if (equals === next) {
      preserved = true;
      kept.add(field.slice(start, next));
      continue;
    }
    const stripped = nameEnd !== equals || valueStart > equals + 1;
    changed ||= stripped;
    const own = isNamed(field, parts, name);
    if (own) values.push(field.slice(valueStart, valueEnd));
    if (own && treatment === 'remove') {
      changed = true;
      kept.drop();
      continue;
    }
    if (!own) preserved = true;
    const cut = own && treatment === 'unprefix' ? prefixEnd(field, valueStart, valueEnd) : valueStart;
    changed ||= cut > valueStart;
    if (cut > valueStart) preserved = true;
    const whole = !stripped && cut === valueStart;
    kept.add(whole ? field.slice(start, next) : `${field.slice(start, nameEnd)}=${field.slice(cut, next)}`);
  }
  if (!changed) return { values, forwarded: field };
  const forwarded = kept.dropping && !preserved ? '' : kept.text();
  return { values, forwarded: forwarded === '' ? undefined : forwarded };
}

/** Behind the first `~` of the value; its start where there is none. */
function prefixEnd(field: string, valueStart: number, valueEnd: number): number {
  return valueStart + field.slice(valueStart, valueEnd).indexOf(PREFIX_END) + 1;
}

/** What is left of a field, each cookie with the delimiter before it. */
class KeptCookies {
  /** The last cookies are dropped, and whatever attributes follow them. */
  dropping = false;
  readonly #pieces: string[] = [];

  drop(): void {
    this.dropping = true;
  }

  /** An attribute, which goes with the cookie before it. */
  follow(field: string, start: number, end: number): void {
    if (!this.dropping) this.#push(field.slice(start, end));
  }

  add(piece: string): void {
    if (this.dropping) this.#close(piece);
    else this.#push(piece);
  }

  text(): string {
    return this.#pieces.join('');
  }

  #push(piece: string): void {
    if (piece !== '') this.#pieces.push(piece);
  }

  /** Leaves one delimiter and one space between what was before the dropped ones and what comes behind. */
  #close(piece: string): void {
    this.dropping = false;
    let start = 1;
    while (start < piece.length && isBlank(piece.charCodeAt(start))) start++;
    const last = this.#pieces.pop();
    if (last === undefined) {
      this.#push(piece.slice(start));
      return;
    }
    let end = last.length;
    while (end > 0 && isBlank(last.charCodeAt(end - 1))) end--;
    this.#push(last.slice(0, end));
    this.#push(`${piece.slice(0, 1)} ${piece.slice(start)}`);
  }
}
