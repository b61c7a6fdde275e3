import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { RESPONSES } from '../../scripts/fuzz/corpus.ts';
import { type ReadResponse, readResponse } from '../http1/read-response.ts';
import { FAULTS } from '../support/fault-servers.ts';
import type { OriginConnection, OriginRequest } from '../support/origin.ts';
import { ROOT } from '../support/source-files.ts';

const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '0': '\0' };

/** The responses that stand in the cases of the conformance suite; what is worked out in them stands as a 5. */
function conformanceSet(): string[] {
  const folder = join(ROOT, 'test/conformance');
  return readdirSync(folder)
    .filter((name) => name.endsWith('.cases.ts'))
    .flatMap((name) => [...readFileSync(join(folder, name), 'utf8').matchAll(/(['`])(HTTP\/1\.[^'`]*)\1/g)])
    .map(([, , literal = '']) =>
      literal
        .replaceAll(/\$\{BODY[^}]*\}/g, 'Content-Length: 5\r\n\r\nhello')
        .replaceAll(/\$\{[^}]*\}/g, '5')
        .replaceAll(/\\(?:x([0-9a-f]{2})|(.))/gi, (_escape, hex: string | undefined, letter: string) =>
          hex === undefined ? (ESCAPES[letter] ?? letter) : String.fromCharCode(Number.parseInt(hex, 16)),
        ),
    );
}

/** What the misbehaving servers say to the first request of a connection. */
function faultSet(): string[] {
  return Object.values(FAULTS).map((fault) => {
    let said = '';
    const socket = {
      write: (text: string) => {
        said += text;
      },
      end() {},
      resetAndDestroy() {},
      destroyed: true, // whoever would drip has nobody to drip to
    } as unknown as Socket;
    const connection = { nth: 3, socket } as unknown as OriginConnection;
    fault.accepted?.(socket, connection);
    fault.asked?.(socket, { nth: 1, connection, socket } as unknown as OriginRequest);
    return said;
  });
}

const SET = [...new Set([...RESPONSES, ...conformanceSet(), ...faultSet()])].filter((text) => text !== '');

/** What is refused is a 502 or a cut, wherever it was cut into pieces. */
function outcome(read: ReadResponse): unknown {
  return read.end === 'complete' ? read : 'refused';
}

test('each response of the conformance set is the same, cut at every byte', () => {
  assert.ok(SET.length > 150, `only ${SET.length} responses were found`);
  for (const text of SET) {
    const bytes = Buffer.from(text, 'latin1');
    for (const method of ['GET', 'HEAD']) {
      const whole = outcome(readResponse([bytes], method));
      for (let at = 1; at < bytes.length; at++) {
        const cut = outcome(readResponse([bytes.subarray(0, at), bytes.subarray(at)], method));
        assert.deepEqual(cut, whole, `${method} ${JSON.stringify(text.slice(0, 300))} cut at ${at}`);
      }
    }
  }
});

test('each two of them, one behind the other, are read as each alone', () => {
  const read = new Map(SET.map((text) => [text, readResponse([Buffer.from(text, 'latin1')])]));
  let pairs = 0;
  for (const [text, first] of read) {
    if (first.end !== 'complete' || first.used < text.length || first.head?.bodyKind === 'close') continue;
    for (const [next, second] of read) {
      const bytes = Buffer.from(text + next, 'latin1');
      const name = (): string => `${JSON.stringify(text.slice(0, 300))} and ${JSON.stringify(next.slice(0, 300))}`;
      const glued = readResponse([bytes]);
      if (glued.used !== text.length || glued.end !== 'complete') assert.deepEqual(glued, first, name());
      assert.deepEqual([glued.body, glued.head], [first.body, first.head], name());
      const rest = readResponse([bytes.subarray(glued.used)]);
      assert.deepEqual(outcome(rest), outcome(second), name());
      pairs++;
    }
  }
  assert.ok(pairs > 5_000, `only ${pairs} pairs`);
});
