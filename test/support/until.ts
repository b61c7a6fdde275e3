/**
 * Waits until that holds, as what the network brings is told by nobody, but not for ever: a loop that goes on behind a test that
 * has failed keeps its process busy and alive.
 */
export async function until(holds: () => boolean, what: string = String(holds), ms: number = 20_000): Promise<void> {
  for (const end = performance.now() + ms; !holds(); ) {
    if (performance.now() > end) throw new Error(`waited ${ms} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
