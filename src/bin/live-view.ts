import type { Pool, ServerStats } from '../index.ts';
import type { View } from './screen.ts';
import { tableLines } from './table.ts';

/** A pool as a table, with the rates since the table was last drawn. */
export function liveView(pool: Pool, url: string): View {
  let before = new Map<string, number>();
  let drawnAt = performance.now();
  let rates = new Map<string, number>();
  return (size) => {
    const { state, active, servers } = pool.stats();
    const entries = Object.entries(servers);
    const now = performance.now();
    // A line written between two redraws draws the view as well: a rate over a few milliseconds would say nothing.
    if (now - drawnAt >= 500) {
      const seconds = (now - drawnAt) / 1000;
      rates = new Map(entries.map(([name, { stot }]) => [name, (stot - (before.get(name) ?? 0)) / seconds]));
      before = new Map(entries.map(([name, { stot }]) => [name, stot]));
      drawnAt = now;
    }
    const rows = entries.map(([name, server]) => ({
      name,
      address: server.url,
      state: server.state,
      weight: server.weight,
      active: server.active,
      requestsPerSecond: rates.get(name) ?? 0,
      errors: errorsOf(server),
      lastCheck: lastCheckOf(server),
    }));
    const total = rows.reduce((sum, { requestsPerSecond }) => sum + requestsPerSecond, 0);
    const headline = `${url} is ${state}: ${total.toFixed(0)} requests/s, ${active} active`;
    return tableLines(headline, rows, size);
  };
}

/** Attempts without a connection or a whole valid answer, and answers that are server errors. */
function errorsOf({ econ, eresp, responses }: ServerStats): number {
  return econ + eresp + responses['5xx'];
}

function lastCheckOf({ check }: ServerStats): string {
  if (!check) return '-';
  const duration = check.durationMs === undefined ? '' : ` in ${Math.round(check.durationMs)} ms`;
  return `${check.code}${check.status === undefined ? '' : ` ${check.status}`}${duration}`;
}
