/** One cookie of a field as it stands, with the delimiter before it. */
interface Crumb {
  readonly delimiter: string;
  readonly text: string;
}

/**
 * What is left of a `Cookie` field without the cookies of that name: told in one sentence each, and slow.
 * The fields it is given have no blanks round `=`.
 */
export function naivelyRemoved(field: string, name: string): string | undefined {
  const crumbs = split(field);
  const isAttribute = ({ text }: Crumb): boolean => text.trimStart().startsWith('$');
  const isOwn = ({ text }: Crumb): boolean => text.trimStart().startsWith(`${name}=`);
  // An attribute shares the fate of the cookie before it.
  const gone: boolean[] = [];
  for (const [at, crumb] of crumbs.entries()) gone.push(isAttribute(crumb) ? (gone[at - 1] ?? false) : isOwn(crumb));
  if (!gone.includes(true)) return field;
  // Where nothing is left but attributes, nothing is left.
  const cookies = crumbs.filter((crumb, at) => !isAttribute(crumb) && !gone[at]);
  if (cookies.length === 0 && gone.at(-1)) return undefined;
  let left = '';
  for (const [at, { delimiter, text }] of crumbs.entries()) {
    if (gone[at]) continue;
    const closes = gone[at - 1] ?? false;
    if (!closes) left += delimiter + text;
    else if (left === '') left = text.trimStart();
    else left = `${left.trimEnd()}${delimiter} ${text.trimStart()}`;
  }
  return left === '' ? undefined : left;
}

/** At every `;` and `,` that no quote of a value holds. */
function split(field: string): Crumb[] {
  const crumbs: Crumb[] = [];
  let [delimiter, text, quoted, escaped, value] = ['', '', false, false, false];
  for (const character of field) {
    if (!quoted && (character === ';' || character === ',')) {
      crumbs.push({ delimiter, text });
      [delimiter, text, value] = [character, '', false];
      continue;
    }
    text += character;
    if (escaped) escaped = false;
    else if (quoted && character === '\\') escaped = true;
    else if (value && character === '"') quoted = !quoted;
    else if (character === '=') value = true;
  }
  return [...crumbs, { delimiter, text }];
}
