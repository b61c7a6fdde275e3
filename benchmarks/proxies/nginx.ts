/** nginx as a proxy: one worker, connections to servers kept, bodies in memory and never in files, no log. */
import { nginxHead, nginxProgram } from '../load/nginx.ts';
import type { Program } from '../load/program.ts';

export const nginx: Program = {
  ...nginxProgram,
  configuration: ({ port, servers, directory }) => `${nginxHead(directory)}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_buffer_size 16k;
  proxy_buffers 16 64k;
  proxy_busy_buffers_size 128k;
  proxy_max_temp_file_size 0;
  upstream pool {
${servers.map((server) => `    server 127.0.0.1:${server};`).join('\n')}
    keepalive 128;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
  }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://pool; }
  }
}
`,
};
