/**
 * What a response's `Retry-After` says, in milliseconds; `undefined` without one, or for what is none. A date counts from the
 * response's own `Date`, so that no two clocks need agree. Seconds may be as many as they like: whoever asks has a limit.
 * @param headers names and values in turn
 * @see RFC 9110, 10.2.3
 */
export function retryAfterMs(headers: readonly string[]): number | undefined {
  const value = fieldOf(headers, 'retry-after');
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : dateOf(value) - dateOf(fieldOf(headers, 'date'));
  return ms > 0 ? ms : undefined;
}

/** NaN without one; `Date.parse` takes much for a date that is none. */
function dateOf(value: string | undefined): number {
  return value?.endsWith(' GMT') ? Date.parse(value) : Number.NaN;
}

function fieldOf(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) if (headers[i]?.toLowerCase() === name) return headers[i + 1]?.trim();
  return undefined;
}
