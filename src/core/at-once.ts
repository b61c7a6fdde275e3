/**
 * The result of a user's function that must answer at once. One that is `async` by mistake would not be waited for, and what
 * it rejects with would end the process.
 * @throws {TypeError} for a promise, whose rejection is heard
 */
export function atOnce<T>(result: T): T {
  if (!(result instanceof Promise)) return result;
  result.catch(() => {});
  throw new TypeError('the function returned a promise; it must answer at once');
}
