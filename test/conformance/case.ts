import type { Ability } from '../support/fronts.ts';
import type { Stage } from './stage.ts';

/** One rule, played on every front that has the abilities it needs. */
export interface Case {
  readonly name: string;
  readonly needs?: Ability | readonly Ability[];
  run(stage: Stage): Promise<void>;
}
