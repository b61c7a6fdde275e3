import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nginxHead, nginxProgram } from './nginx.ts';
import { freePorts, installed, type Started, start } from './process.ts';
import { type Program, startProgram, versionOf } from './program.ts';
import { ANSWERS, PORT_PATH, UPLOAD_ANSWER } from './scenarios.ts';

/** The servers behind the proxies: one process that listens on four ports. */
export interface Origin {
  readonly title: string;
  readonly ports: readonly number[];
  stop(): Promise<void>;
}

/**
 * Small answers come from memory, large ones from files through sendfile. An upload is read whole before it is answered: the
 * mirror module reads it, the file module then refuses the method, and the refusal is turned into the answer.
 */
const nginxOrigin: Program = {
  ...nginxProgram,
  configuration: ({ servers, directory }) => `${nginxHead(directory)}
  sendfile on;
  tcp_nodelay on;
  open_file_cache max=16 inactive=1h;
  server {
${servers.map((port) => `    listen 127.0.0.1:${port};`).join('\n')}
    root ${directory}/files;
${ANSWERS.map(({ path, bytes }) => (bytes < 4096 ? `    location = ${path} { return 200 "${'x'.repeat(bytes)}"; }\n` : '')).join('')}
    location = ${PORT_PATH} { return 200 "$server_port"; }
    location = /discard { internal; return 204; }
    location = /upload { mirror /discard; error_page 405 =200 @accepted; }
    location @accepted { add_header X-Received $request_length; return 200 "${UPLOAD_ANSWER}"; }
  }
}
`,
};

export async function startOrigin(
  kind: 'nginx' | 'node' | undefined,
  directory: string,
  core: number | undefined,
): Promise<Origin> {
  const ports = await freePorts(4);
  const nginx = kind ?? (installed('nginx') === undefined ? 'node' : 'nginx');
  const started = await (nginx === 'nginx' ? startNginx(ports, directory, core) : startNode(ports, core));
  const title = nginx === 'nginx' ? `nginx ${versionOf(nginxOrigin)} (one worker, sendfile)` : 'node:http';
  return { title, ports, stop: started.stop };
}

async function startNginx(ports: readonly number[], directory: string, core: number | undefined): Promise<Started> {
  mkdirSync(join(directory, 'files'), { recursive: true });
  for (const { path, bytes } of ANSWERS) writeFileSync(join(directory, 'files', path), 'x'.repeat(bytes));
  writeFileSync(join(directory, 'files', 'upload'), ''); // what the file module refuses to POST to
  return startProgram(nginxOrigin, { port: ports[0] ?? 0, servers: ports, directory }, core);
}

async function startNode(ports: readonly number[], core: number | undefined): Promise<Started> {
  const file = fileURLToPath(new URL('./node-origin.ts', import.meta.url));
  const started = start([process.execPath, file, ...ports.map(String)], { core, ipc: true });
  await Promise.race([once(started.child, 'message'), once(started.child, 'exit').then(() => fail(started))]);
  return started;
}

function fail(started: Started): never {
  throw new Error(`the origin did not start: ${started.complaint()}`);
}
