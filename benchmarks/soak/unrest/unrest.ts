import { Findings } from '../promises.ts';
import { type Account, reckon } from './reckoning.ts';
import { Scene, type UnrestPlan } from './scene.ts';

/** Share of the time after which memory is looked at first: code is compiled by then, and buffers are there. */
const WARM_UP = 0.3;

/** For the end of all that is under way, twice, and of the scene. */
const LONGEST_REST_MS = 60_000;

/** Clients of all kinds before servers that fail in all ways, restart, drain and change weight. */
export async function playUnrest(plan: UnrestPlan): Promise<Account> {
  const scene = await Scene.open(plan);
  await scene.troublemaker.work(plan.seconds * 1_000 * WARM_UP);
  const before = await scene.still();
  await scene.troublemaker.work(plan.seconds * 1_000 * (1 - WARM_UP));
  const after = await scene.still();
  return { scene, before, after, left: await scene.strike() };
}

/** Plays it, and compares what was promised with what has come of it. */
export async function soakUnrest(plan: UnrestPlan): Promise<Findings> {
  const late = setTimeout(
    () => {
      throw new Error(`the unrest does not come to rest (--seed ${plan.seed})`);
    },
    plan.seconds * 1_000 + LONGEST_REST_MS,
  );
  const account = await playUnrest(plan);
  clearTimeout(late);
  const { crowd, options } = account.scene;
  const found = new Findings(
    `unrest: up to ${crowd.most} clients, ${options.servers?.length} servers, ${options.balance}, ${plan.engine}, ${plan.seconds} s (--seed ${plan.seed})`,
  );
  reckon(found, account);
  return found;
}
