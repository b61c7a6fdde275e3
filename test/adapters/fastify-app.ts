import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { Origin, type OriginOptions, type Script } from '../support/origin.ts';
import { RawClient } from '../support/raw-client.ts';

/** An origin that is stopped with the test. */
export async function originFor(t: TestContext, script: Script, options?: OriginOptions): Promise<Origin> {
  const origin = await Origin.start(script, options);
  t.after(() => origin.stop());
  return origin;
}

/** Starts an application, to be closed with the test; gives clients of it. */
export async function listen(t: TestContext, app: FastifyInstance): Promise<() => Promise<RawClient>> {
  await app.listen({ port: 0, host: '127.0.0.1' });
  const clients: RawClient[] = [];
  t.after(async () => {
    for (const client of clients) client.leave();
    await app.close();
  });
  const { port } = app.server.address() as AddressInfo;
  return async () => {
    const client = await RawClient.open(port);
    clients.push(client);
    return client;
  };
}

/** Answers with the request as the server saw it. */
export const echoes: Script = async (request) => {
  const body = await request.body();
  const seen = JSON.stringify({ method: request.method, target: request.target, fields: request.fields, body });
  const length = Buffer.byteLength(seen, 'latin1');
  request.socket.write(
    `HTTP/1.1 200 OK\r\nx-origin: 1\r\nvary: accept\r\ncontent-length: ${length}\r\n\r\n${request.method === 'HEAD' ? '' : seen}`,
    'latin1',
  );
};

/** What `echoes` has answered. */
export interface Seen {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly body: string;
}
