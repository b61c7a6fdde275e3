import type { Program } from './program.ts';

/** What nginx needs wherever it is used here; the caller writes the rest of the `http` block and closes it. */
export function nginxHead(directory: string): string {
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log stderr error;
events { worker_connections 16384; }
http {
  ${folders.map((name) => `${name}_temp_path ${directory}/${name};`).join(' ')}
  access_log off;
  default_type text/plain;
  client_body_buffer_size 128k;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;`;
}

export const nginxProgram: Omit<Program, 'configuration'> = {
  binary: 'nginx',
  arguments: (file, directory) => ['-e', 'stderr', '-p', directory, '-c', file],
  version: (output) => /nginx\/([\d.]+)/.exec(output)?.[1],
};
