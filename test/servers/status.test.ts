import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdminState, OperationalState } from '#src/servers/server.ts';
import { serverStatus } from '#src/servers/status.ts';
import { makeServer } from '../support/make-server.ts';

interface Case {
  readonly admin?: AdminState;
  readonly inherited?: AdminState;
  readonly state: OperationalState;
  /** With rise 2 and fall 3: 0 and 1 are down, 2 to 4 are up. */
  readonly health?: number;
  readonly agent?: 0 | 1;
  /** State of the server it tracks, whose health it is. */
  readonly tracked?: OperationalState;
  readonly status: string;
}

// HAProxy stats-proxy.c:stats_fill_sv_computestate
const table: readonly Case[] = [
  { state: 'running', status: 'no check' },
  { state: 'starting', status: 'no check' },
  { state: 'running', agent: 1, status: 'no check' },
  { state: 'running', health: 4, status: 'UP' },
  { state: 'running', health: 3, status: 'UP 2/3' },
  { state: 'running', health: 2, status: 'UP 1/3' },
  { state: 'running', health: 2, agent: 1, status: 'UP 1/3' },
  { state: 'starting', health: 4, status: 'UP' },
  { state: 'stopped', health: 0, status: 'DOWN' },
  { state: 'stopped', health: 1, status: 'DOWN 1/2' },
  { state: 'stopped', status: 'DOWN' },
  { state: 'stopped', health: 4, agent: 0, status: 'DOWN (agent)' },
  { state: 'stopped', health: 0, agent: 0, status: 'DOWN (agent)' },
  { state: 'stopped', health: 0, agent: 1, status: 'DOWN' },
  { state: 'stopped', health: 1, agent: 1, status: 'DOWN 1/2' },
  { state: 'stopped', agent: 0, status: 'DOWN (agent)' },
  { state: 'stopping', health: 4, status: 'NOLB' },
  { state: 'stopping', health: 3, status: 'NOLB 2/3' },
  { state: 'stopping', status: 'NOLB' },
  { admin: 'drain', state: 'running', health: 4, status: 'DRAIN' },
  { admin: 'drain', state: 'running', health: 2, status: 'DRAIN 1/3' },
  { admin: 'drain', state: 'running', status: 'DRAIN' },
  { admin: 'drain', state: 'running', health: 2, agent: 1, status: 'DRAIN (agent)' },
  { inherited: 'drain', state: 'starting', health: 4, status: 'DRAIN' },
  { admin: 'drain', state: 'stopped', health: 0, status: 'DOWN' },
  { admin: 'drain', state: 'stopping', health: 4, status: 'NOLB' },
  { admin: 'maint', state: 'stopped', health: 0, status: 'MAINT' },
  { admin: 'maint', state: 'stopped', status: 'MAINT' },
  { admin: 'maint', state: 'stopped', agent: 0, status: 'MAINT' },
  { inherited: 'maint', tracked: 'stopped', state: 'stopped', health: 0, status: 'MAINT (via api/other)' },
  { inherited: 'maint', tracked: 'stopped', admin: 'maint', state: 'stopped', status: 'MAINT (via api/other)' },
  { tracked: 'running', state: 'running', health: 3, status: 'UP 2/3' },
  { tracked: 'stopping', state: 'stopping', health: 3, status: 'NOLB 2/3' },
  { tracked: 'stopped', state: 'stopped', health: 1, status: 'DOWN 1/2' },
  { tracked: 'stopped', state: 'stopped', health: 4, agent: 0, status: 'DOWN (agent)' },
];

for (const { status, ...given } of table) {
  test(`a server with ${JSON.stringify(given)} is '${status}'`, () => {
    const server = makeServer(1);
    server.operational = given.state;
    server.admin = given.admin ?? 'ready';
    server.inheritedMaint = given.inherited === 'maint';
    server.inheritedDrain = given.inherited === 'drain';
    if (given.tracked) server.tracks = makeServer(2, { name: 'other' });
    const facts = {
      operational: given.tracked ?? given.state,
      check: { health: given.health ?? 4, rise: 2, fall: 3 },
      checked: given.health !== undefined,
      agentHealth: given.agent,
    };
    assert.equal(serverStatus(server, facts, 'api'), status);
  });
}

test('a fall of one leaves nothing between up and down', () => {
  const facts = {
    operational: 'running',
    check: { health: 2, rise: 2, fall: 1 },
    checked: true,
    agentHealth: undefined,
  };
  assert.equal(serverStatus(makeServer(1), { ...facts, operational: 'running' }, 'api'), 'UP');
});
