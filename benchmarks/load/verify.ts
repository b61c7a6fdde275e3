import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Contender } from './contender.ts';
import { PORT_PATH, type Scenario, UPLOAD_ANSWER } from './scenarios.ts';

/** Throws unless a contender answers each scenario in full and uses every server. */
export async function verify(
  { plan, port }: Contender,
  scenarios: readonly Scenario[],
  servers: readonly number[],
): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  try {
    for (const { method, path, bytes, upload, name } of scenarios) {
      const { response, body } = await ask({ agent, port, path, method }, upload);
      const whole = body.length === bytes && body === (upload > 0 ? UPLOAD_ANSWER : 'x'.repeat(bytes));
      if (response.statusCode !== 200 || !whole) {
        throw new Error(`${name}: answered ${response.statusCode} with ${body.length} bytes, not 200 with ${bytes}`);
      }
      const received = Number(response.headers['x-received'] ?? 0);
      if (received < upload) throw new Error(`${name}: ${received} bytes of ${upload} reached the server`);
    }
    if (plan.floor !== true) await expectAllServers(agent, port, servers);
  } finally {
    agent.destroy();
  }
}

async function expectAllServers(agent: Agent, port: number, servers: readonly number[]): Promise<void> {
  const used = new Set<number>();
  for (let i = 0; i < servers.length * 4; i++) {
    used.add(Number((await ask({ agent, port, path: PORT_PATH, method: 'GET' }, 0)).body));
  }
  const unused = servers.filter((server) => !used.has(server));
  if (unused.length > 0) throw new Error(`${unused.length} of ${servers.length} servers get no requests`);
}

function ask(
  target: { agent: Agent; port: number; path: string; method: string },
  upload: number,
): Promise<{ response: IncomingMessage; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = upload > 0 ? { 'content-length': upload } : {};
    const asked = request({ host: '127.0.0.1', timeout: 5000, headers, ...target }, (response) => {
      text(response).then((body) => resolve({ response, body }), reject);
    });
    asked
      .on('error', reject)
      .on('timeout', () => asked.destroy(new Error(`${target.method} ${target.path}: no whole answer within 5 s`)));
    asked.end('x'.repeat(upload));
  });
}
