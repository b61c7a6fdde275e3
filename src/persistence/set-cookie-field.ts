import { isNamed, noParts, PREFIX_END, readParts } from './cookie-text.ts';

/** What becomes of the values of a server's `Set-Cookie` fields that set the pool's cookie. */
export type SetCookieTreatment =
  | { readonly kind: 'keep' }
  | { readonly kind: 'remove' }
  | { readonly kind: 'replace'; readonly value: string }
  | { readonly kind: 'prefix'; readonly value: string };

/** A server's `Set-Cookie` fields, read. */
export interface SetCookieFields {
  /** What goes to the client. The same array where nothing has changed. */
  readonly fields: readonly string[];
  /** One of them sets the pool's cookie. */
  readonly found: boolean;
}

/**
 * Finds the fields that set a cookie of that name, and does what is told to each. As HAProxy does: a field sets one cookie;
 * blanks round its first `=` go, whatever its name is; and a value ends at `;` or `,` outside quotes.
 * @see HAProxy http_ana.c:http_manage_server_side_cookies
 */
export function readSetCookies(
  fields: readonly string[],
  name: string,
  treatment: SetCookieTreatment,
): SetCookieFields {
  const kept: string[] = [];
  let changed = false;
  let found = false;
  for (const field of fields) {
    const parts = noParts();
    readParts(field, 0, false, parts);
    const { nameEnd, valueStart, valueEnd } = parts;
    if (parts.equals === parts.next) {
      kept.push(field);
      continue;
    }
    const own = isNamed(field, parts, name);
    found ||= own;
    if (own && treatment.kind === 'remove') {
      changed = true;
      continue;
    }
    const rewritten = `${field.slice(0, nameEnd)}=${own ? treated(field, valueStart, valueEnd, treatment) : field.slice(valueStart)}`;
    changed ||= rewritten !== field;
    kept.push(rewritten);
  }
  return { fields: changed ? kept : fields, found };
}

function treated(field: string, valueStart: number, valueEnd: number, treatment: SetCookieTreatment): string {
  if (treatment.kind === 'replace') return treatment.value + field.slice(valueEnd);
  const rest = field.slice(valueStart);
  return treatment.kind === 'prefix' ? `${treatment.value}${PREFIX_END}${rest}` : rest;
}
