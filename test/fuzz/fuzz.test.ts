import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inputOf } from '../../scripts/fuzz/inputs.ts';
import { readAsNodeClient } from '../../scripts/fuzz/node-client.ts';
import { differences } from '../../scripts/fuzz/response-check.ts';
import { inputFrom, replayOf, run } from '../../scripts/fuzz/run.ts';
import { sampleOverSockets } from '../../scripts/fuzz/sockets.ts';
import { readResponse } from '../http1/read-response.ts';

/** `npm run fuzz` looks at millions, of another seed each time. */
const SEED = 20_260_821;

test('nothing that we accept looks different to Node’s own parsers: responses from servers, requests to them', () => {
  const { response, request, faults } = run(SEED, 40_000);
  assert.equal(faults.length, 0, faults.join('\n'));
  for (const { inputs, accepted } of [response, request])
    assert.ok(accepted > inputs / 10, `only ${accepted} of ${inputs} were accepted: that proves little`);
});

test('over real sockets a client sees what the parser makes of a response, a 502, or a cut', async () => {
  const { inputs, accepted, faults } = await sampleOverSockets(SEED, 600);
  assert.equal(faults.length, 0, faults.join('\n'));
  assert.ok(accepted > inputs / 10, `only ${accepted} of ${inputs} were accepted: that proves little`);
});

test('the comparison sees what differs, and an input that was printed is read back', () => {
  const text = 'HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n';
  const ours = readResponse([Buffer.from(text, 'latin1')]);
  const othersView = (other: string): string | undefined =>
    differences(ours, readAsNodeClient([Buffer.from(other, 'latin1')], 'GET'));
  assert.equal(othersView(text), undefined);
  for (const [was, is, what] of [
    ['200 OK', '201 OK', /^status/],
    ['200 OK', '200 ok', /^reason/],
    ['X-A: 1', 'X-A: 2', /^headers/],
    ['X-A: 1', 'X-A: 1\r\nX-B: 1', /^headers/],
    ['2\r\nok', '2\r\nOK', /^body/],
    ['X-T: 1', 'X-T: 2', /^trailers/],
    ['X-A: 1', 'Connection: close', /^headers/],
    ['0\r\nX-T', 'x\r\nX-T', /^end/],
    ['HTTP/1.1', 'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1', /^interim/],
  ] as const)
    assert.match(othersView(text.replace(was, is)) ?? '', what);
  for (let index = 0; index < 100; index++) {
    const input = inputOf(SEED, index);
    assert.deepEqual(inputFrom(replayOf(input)), input);
    assert.deepEqual(inputOf(SEED, index), input);
  }
});
