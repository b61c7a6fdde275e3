/**
 * The path and the query of a request target; `undefined` when it has no path, as `*` and `host:port` have none.
 * @see HAProxy http.c:http_parse_path
 */
export function pathAndQuery(target: string | undefined): string | undefined {
  if (target === undefined || target.startsWith('/')) return target;
  const authority = /^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i.exec(target)?.[0];
  return authority === undefined ? undefined : target.slice(authority.length) || undefined;
}

export function pathOf(target: string | undefined): string | undefined {
  const path = pathAndQuery(target);
  const queryAt = path?.indexOf('?') ?? -1;
  return queryAt === -1 ? path : path?.slice(0, queryAt);
}

/** What follows the first `?`; `undefined` without one. */
export function queryOf(target: string | undefined): string | undefined {
  const queryAt = target?.indexOf('?') ?? -1;
  return queryAt === -1 ? undefined : target?.slice(queryAt + 1);
}

/**
 * The first parameter of that name, as it stands; one without `=` is none.
 * @see HAProxy http.c:http_find_url_param_pos; a parameter ends where another `?` stands, too
 */
export function urlParameter(target: string | undefined, name: string): string | undefined {
  const start = `${name}=`;
  return queryOf(target)
    ?.split(/[&;?]/)
    .find((parameter) => parameter.startsWith(start))
    ?.slice(start.length);
}
