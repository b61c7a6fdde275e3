import { readFileSync } from 'node:fs';

export const HELP = `evenkeel balances HTTP requests and WebSockets between servers.

  evenkeel ADDRESS[;KEY=VALUE...]... [OPTION...]

  evenkeel http://127.0.0.1:3001 'http://127.0.0.1:3002;weight=3' --listen 8080 --balance leastconn --check /healthz
  evenkeel --config pool.json

ADDRESS is http://HOST:PORT, https://HOST:PORT, HOST:PORT or unix:/PATH.
KEY is a server option: weight=3, maxconn=200, backup, name=a, slowstart=10s, ...

  --listen [HOST:]PORT  where clients connect; default 127.0.0.1:8080
  --balance ALGORITHM   HAProxy's phrase: roundrobin (default), leastconn, random, source, 'uri depth 2' ...
  --check PATH          checks each server by GET PATH; 'tcp' only connects; default: no checks
  --inter DURATION      time between checks; default 2s
  --grace DURATION      time for requests in flight after SIGTERM or SIGINT; default 10s
  --config FILE         JSON: "listen", "grace" and all options of a pool; "infinite" is no limit
  -h, --help            shows this
  -v, --version         shows the version

A second signal ends it at once. Exit codes: 0 drained, 1 cannot listen, 2 wrong arguments or configuration.
`;

export function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as unknown;
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : '';
}
