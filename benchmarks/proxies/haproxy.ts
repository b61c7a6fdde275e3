/** HAProxy: one thread, as one core is what every contender has. No log, no checks; the rest at its defaults. */
import type { Program } from '../load/program.ts';

export const haproxy: Program = {
  binary: 'haproxy',
  configuration: ({ port, servers }) => `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend clients
  bind 127.0.0.1:${port}
  default_backend pool
backend pool
  balance roundrobin
${servers.map((server, i) => `  server s${i} 127.0.0.1:${server}`).join('\n')}
`,
  arguments: (file) => ['-db', '-q', '-f', file],
  version: (output) => /version ([\d.]+)/.exec(output)?.[1],
};
