import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Server } from '#src/servers/server.ts';
import { CONDITIONAL, FAIL, ManualBench, ManualCheck, NEUTRAL, NOT_FOUND, PASS } from './bench.ts';
import { type Check, type ModelOptions, ModelServer, type Shown, type Words } from './model.ts';

const RESULTS = { pass: PASS, fail: FAIL, neutral: NEUTRAL, conditional: CONDITIONAL, '404': NOT_FOUND };

/** Longer than any interval or slow start here. */
const LONG_MS = 4000;

const oneOf = <const T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const perhaps = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 2 });

const options: fc.Arbitrary<ModelOptions> = fc
  .record({
    rise: fc.integer({ min: 1, max: 3 }),
    fall: fc.integer({ min: 1, max: 4 }),
    initState: oneOf('none', 'up', 'fully-up', 'down', 'fully-down'),
    checked: oneOf(true, true, true, false),
    agent: fc.boolean(),
    slowstart: fc.boolean(),
    disabled: oneOf(false, false, false, true),
    observe: oneOf('none', 'layer4', 'layer7'),
    errorLimit: fc.integer({ min: 1, max: 3 }),
    onError: oneOf('fastinter', 'fail-check', 'sudden-death', 'mark-down'),
    disableOn404: fc.boolean(),
    weight: oneOf(1, 10, 200),
  })
  .map((given) => ({ ...given, tracks: undefined }));

/** Up to five servers, some of which track one that comes before. */
const servers: fc.Arbitrary<readonly ModelOptions[]> = fc
  .array(fc.record({ own: options, tracks: perhaps(fc.nat()) }), { minLength: 1, maxLength: 5 })
  .map((drawn) => {
    const all: ModelOptions[] = [];
    for (const { own, tracks } of drawn) {
      const at = tracks === undefined || all.length === 0 ? undefined : tracks % all.length;
      const target = at === undefined ? undefined : all[at];
      const mayTrack = target && (target.checked || target.agent || target.tracks !== undefined);
      all.push(mayTrack ? { ...own, checked: false, agent: false, initState: 'none', tracks: at } : own);
    }
    return all;
  });

const words: fc.Arbitrary<Words> = fc.record({
  health: perhaps(oneOf('up', 'down', 'stopped', 'fail')),
  admin: perhaps(oneOf('ready', 'drain', 'maint')),
  weight: perhaps(
    fc.oneof(
      fc.record({ value: fc.integer({ min: 0, max: 256 }), percent: fc.constant(false) }),
      fc.record({ value: oneOf(0, 33, 100, 250, 30_000), percent: fc.constant(true) }),
    ),
  ),
  maxconn: perhaps(fc.integer({ min: 0, max: 50 })),
});

type Command =
  | { readonly what: 'check'; readonly found: Check }
  | { readonly what: 'agent'; readonly words: Words | 'unreachable' }
  | { readonly what: 'state'; readonly state: 'ready' | 'drain' | 'maint' }
  | { readonly what: 'health'; readonly health: 'up' | 'stopping' | 'down' }
  | { readonly what: 'weight'; readonly weight: number }
  | { readonly what: 'request'; readonly shows: Shown };

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constant('check'),
      found: oneOf('pass', 'pass', 'fail', 'fail', 'neutral', 'conditional', '404'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('agent'), words: fc.oneof(words, fc.constant('unreachable')) }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('state'), state: oneOf('ready', 'ready', 'drain', 'maint') }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('health'), health: oneOf('up', 'stopping', 'down') }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('weight'), weight: fc.integer({ min: 0, max: 256 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('request'),
      shows: fc.constantFrom<Shown[]>(
        'no connection',
        'broken',
        'broken reused',
        'lease ok',
        'lease failed',
        200,
        404,
        500,
        501,
        503,
        505,
      ),
    }),
  },
) as fc.Arbitrary<Command>;

const commands = fc.array(fc.record({ server: fc.nat(), command }), { maxLength: 60 });

/** As an agent would write it: in any order, with what stands between. */
function lineOf({ health, admin, weight, maxconn }: Words): string {
  const parts = [
    maxconn === undefined ? '' : `maxconn:${maxconn}`,
    health ?? '',
    weight ? `${weight.percent ? '' : 'weight:'}${weight.value}${weight.percent ? '%' : ''}` : '',
    admin?.toUpperCase() ?? '',
  ];
  return `${parts.join(', ')}\t# words`;
}

/** The servers as they are and as the model has them, side by side. */
class Pair {
  readonly bench = new ManualBench();
  readonly servers: Server[] = [];
  readonly models: ModelServer[] = [];
  readonly checks: ManualCheck[] = [];
  readonly agents: ManualCheck[] = [];

  constructor(all: readonly ModelOptions[]) {
    const rows = all.map((given, index) => {
      const check = new ManualCheck();
      const agent = new ManualCheck(true);
      const track = given.tracks === undefined ? undefined : this.servers[given.tracks];
      const { rise, fall, initState, observe, errorLimit, onError, disableOn404, weight, disabled } = given;
      const row = this.bench.server({
        ...{ rise, fall, initState, errorLimit, onError, disableOn404, weight, disabled, name: `s${index}` },
        observe: given.tracks === undefined ? observe : 'none',
        check: given.checked ? check : undefined,
        agent: given.agent ? { check: agent, interMs: 1000 } : undefined,
        slowstartMs: given.slowstart ? 2000 : 0,
        ...(track && { tracks: track }),
      });
      this.checks.push(check);
      this.agents.push(agent);
      this.servers.push(row[0]);
      this.models.push(
        new ModelServer(`s${index}`, given, given.tracks === undefined ? undefined : this.models[given.tracks]),
      );
      return row;
    });
    // Those that are tracked need not come first.
    this.bench.monitor.start(rows.toReversed());
    this.compare('start');
  }

  run(index: number, step: Command): void {
    this.bench.clock.advance(LONG_MS);
    for (const model of this.models) model.timePasses();
    const [server, model, check, agent] = [
      this.servers[index] ?? assert.fail(),
      this.models[index] ?? assert.fail(),
      this.checks[index] ?? assert.fail(),
      this.agents[index] ?? assert.fail(),
    ];
    assert.equal(check.running, model.options.checked && !model.maint, 'checks run, but not in maintenance');
    assert.equal(agent.running, model.options.agent, 'agents are always asked');
    switch (step.what) {
      case 'check':
        if (check.running) check.end(RESULTS[step.found]);
        model.checkEnds(step.found);
        break;
      case 'agent':
        if (agent.running) {
          if (step.words === 'unreachable') agent.end(FAIL);
          else agent.say(lineOf(step.words));
        }
        model.agentEnds(step.words);
        break;
      case 'state':
        this.bench.monitor.setAdmin(server, step.state);
        model.setState(step.state);
        break;
      case 'health':
        this.bench.monitor.setHealth(server, step.health);
        model.setHealth(step.health);
        break;
      case 'weight':
        server.weight = step.weight;
        model.weight = step.weight;
        break;
      case 'request':
        show(server, step.shows);
        model.saw(step.shows);
    }
    this.compare(JSON.stringify(step));
  }

  compare(after: string): void {
    for (const [index, server] of this.servers.entries()) {
      const model = this.models[index] ?? assert.fail();
      const { monitor } = this.bench;
      const { chkfail, chkdown, hanafail } = server.counters;
      const forced = model.flags.has('fmaint') ? 'maint' : model.flags.has('fdrain') ? 'drain' : 'ready';
      assert.deepEqual(
        {
          op: server.operational,
          admin: server.admin,
          inherited: [server.inheritedMaint, server.inheritedDrain],
          status: monitor.status(server),
          health: monitor.report(server)?.health,
          agent: monitor.report(server, 'agent')?.health,
          weight: server.weight,
          maxconn: server.limits.maxconn,
          counters: { chkfail, chkdown, hanafail },
          usable: server.usable,
        },
        {
          op: model.op,
          admin: forced,
          inherited: [model.flags.has('imaint'), model.flags.has('idrain')],
          status: model.status('api'),
          health: model.options.checked ? model.health : undefined,
          agent: model.options.agent ? model.agentHealth : undefined,
          weight: model.weight,
          maxconn: model.maxconn,
          counters: { chkfail: model.chkfail, chkdown: model.chkdown, hanafail: model.hanafail },
          usable: model.isUp && !model.maint && !model.drain && server.effectiveWeight > 0,
        },
        `${server.name} after ${after}`,
      );
    }
  }
}

function show({ observer }: Server, what: Shown): void {
  if (what === 'no connection') observer?.connectionFailed();
  else if (what === 'broken') observer?.noResponse(true);
  else if (what === 'broken reused') observer?.noResponse(false);
  else if (what === 'lease ok') observer?.worked(true);
  else if (what === 'lease failed') observer?.worked(false);
  else observer?.responded(what);
}

test('whatever checks, agents, operators and requests do, servers are in the state that the model says', () => {
  fc.assert(
    fc.property(servers, commands, (all, steps) => {
      const pair = new Pair(all);
      for (const { server, command: step } of steps) pair.run(server % all.length, step);
      pair.bench.monitor.stop();
      assert.equal(pair.bench.clock.pending, 0, 'nothing is left behind');
    }),
    { numRuns: 3000 },
  );
});
