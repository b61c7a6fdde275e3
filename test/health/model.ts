/**
 * A naive model of HAProxy's servers, written from its documentation: flags, counters and recursion where `src/health/` has
 * facts that follow from each other. It knows no time but "long enough".
 */

export type Op = 'stopped' | 'starting' | 'running' | 'stopping';
export type Admin = 'ready' | 'drain' | 'maint';

export interface ModelOptions {
  readonly rise: number;
  readonly fall: number;
  readonly initState: 'none' | 'up' | 'fully-up' | 'down' | 'fully-down';
  readonly checked: boolean;
  readonly agent: boolean;
  readonly slowstart: boolean;
  readonly disabled: boolean;
  readonly observe: 'none' | 'layer4' | 'layer7';
  readonly errorLimit: number;
  readonly onError: 'fastinter' | 'fail-check' | 'sudden-death' | 'mark-down';
  readonly disableOn404: boolean;
  readonly weight: number;
  /** Index of the server that it tracks; one that comes before it. */
  readonly tracks: number | undefined;
}

export type Check = 'pass' | 'fail' | 'neutral' | 'conditional' | '404';

export interface Words {
  readonly health?: 'up' | 'down' | 'stopped' | 'fail' | undefined;
  readonly admin?: Admin | undefined;
  readonly weight?: { readonly value: number; readonly percent: boolean } | undefined;
  readonly maxconn?: number | undefined;
}

/** What a request shows; a number is the status of a response. */
export type Shown = 'no connection' | 'broken' | 'broken reused' | 'lease ok' | 'lease failed' | number;

export class ModelServer {
  readonly options: ModelOptions;
  readonly name: string;
  readonly track: ModelServer | undefined;
  readonly trackers: ModelServer[] = [];
  op: Op = 'running';
  health: number;
  agentHealth = 1;
  readonly flags: Set<'fmaint' | 'imaint' | 'fdrain' | 'idrain'> = new Set();
  weight: number;
  maxconn = 0;
  errors = 0;
  chkfail = 0;
  chkdown = 0;
  hanafail = 0;

  constructor(name: string, options: ModelOptions, track: ModelServer | undefined) {
    this.name = name;
    this.options = options;
    this.track = track;
    this.weight = options.weight;
    this.health = this.initialHealth;
    track?.trackers.push(this);
    if ((options.checked || options.agent) && this.health < options.rise) this.op = 'stopped';
    if (track) this.op = track.op;
    if (track?.maint) this.flags.add('imaint');
    if (options.disabled) this.flags.add('fmaint');
    if (this.maint) {
      this.op = 'stopped';
      this.health = 0;
    }
  }

  get initialHealth(): number {
    const { rise, fall, initState } = this.options;
    return { none: rise, up: rise, 'fully-up': rise + fall - 1, down: rise - 1, 'fully-down': 0 }[initState];
  }

  get full(): number {
    return this.options.rise + this.options.fall - 1;
  }

  get maint(): boolean {
    return this.flags.has('fmaint') || this.flags.has('imaint');
  }

  get drain(): boolean {
    return this.flags.has('fdrain') || this.flags.has('idrain');
  }

  get isUp(): boolean {
    return this.op === 'running' || this.op === 'starting';
  }

  // --- changes of state, and those who track

  setStopped(): void {
    if (this.maint || this.op === 'stopped') return;
    this.op = 'stopped';
    this.chkdown++;
    for (const tracker of this.trackers) tracker.setStopped();
  }

  setRunning(): void {
    if (this.maint || this.isUp) return;
    this.op = this.options.slowstart && this.op === 'stopped' ? 'starting' : 'running';
    for (const tracker of this.trackers) tracker.setRunning();
  }

  setStopping(): void {
    if (this.maint || this.op === 'stopping') return;
    this.op = 'stopping';
    for (const tracker of this.trackers) tracker.setStopping();
  }

  setFlag(flag: 'fmaint' | 'imaint' | 'fdrain' | 'idrain'): void {
    if (this.flags.has(flag)) return;
    const [wasMaint, wasDrain] = [this.maint, this.drain];
    this.flags.add(flag);
    if (this.maint && !wasMaint) {
      this.health = 0;
      if (this.op !== 'stopped') this.chkdown++;
      this.op = 'stopped';
    }
    if (flag.endsWith('maint') ? wasMaint : wasDrain) return;
    for (const tracker of this.trackers) tracker.setFlag(flag.endsWith('maint') ? 'imaint' : 'idrain');
  }

  clearFlag(flag: 'fmaint' | 'imaint' | 'fdrain' | 'idrain'): void {
    if (!this.flags.delete(flag)) return;
    if (flag.endsWith('maint') && !this.maint) this.#leaveMaintenance();
    if (flag.endsWith('maint') ? this.maint : this.drain) return;
    for (const tracker of this.trackers) tracker.clearFlag(flag.endsWith('maint') ? 'imaint' : 'idrain');
  }

  #leaveMaintenance(): void {
    const { checked, agent, rise, slowstart } = this.options;
    this.health = this.initialHealth;
    if (this.track && this.track.op === 'stopped') return;
    if (agent && this.agentHealth < 1) return;
    if ((checked || agent) && this.health < rise) return;
    this.op = this.track?.op === 'stopping' ? 'stopping' : slowstart ? 'starting' : 'running';
  }

  // --- what operators do

  setState(state: Admin): void {
    if (state === 'maint') {
      this.clearFlag('fdrain');
      this.setFlag('fmaint');
    } else if (state === 'drain') {
      this.setFlag('fdrain');
      this.clearFlag('fmaint');
    } else {
      this.clearFlag('fdrain');
      this.clearFlag('fmaint');
    }
  }

  setHealth(health: 'up' | 'stopping' | 'down'): void {
    if (this.maint || this.track) return;
    this.health = health === 'down' ? 0 : this.full;
    if (health === 'up') this.setRunning();
    else if (health === 'down') this.setStopped();
    else this.setStopping();
  }

  // --- what checks find

  checkEnds(found: Check): void {
    if (!this.options.checked || this.maint) return;
    if (found === 'neutral') return;
    if (found === 'fail') this.#failed();
    else if (found === '404' && !(this.options.disableOn404 && this.op !== 'stopped')) this.#failed();
    else this.#passed(found === 'pass');
  }

  #passed(whole: boolean): void {
    if (this.health < this.full) {
      this.health++;
      if (this.health >= this.options.rise) this.health = this.full;
    }
    this.errors = 0;
    if (this.health < this.options.rise || (this.options.agent && this.agentHealth < 1)) return;
    if (whole) this.setRunning();
    else this.setStopping();
  }

  #failed(): void {
    if (this.health > 0) {
      this.chkfail++;
      this.health--;
      if (this.health < this.options.rise) this.health = 0;
    }
    if (this.health === 0) this.setStopped();
  }

  agentEnds(words: Words | 'unreachable'): void {
    if (!this.options.agent || words === 'unreachable') return;
    if (words.admin) this.setState(words.admin);
    if (words.weight) {
      const { value, percent } = words.weight;
      const wanted = percent ? Math.floor((this.options.weight * Math.min(value, 25_600)) / 100) : value;
      this.weight = Math.min(256, wanted);
    }
    if (words.maxconn !== undefined) this.maxconn = words.maxconn;
    if (words.health === undefined) return;
    if (words.health !== 'up') {
      this.agentHealth = 0;
      this.setStopped();
      return;
    }
    this.agentHealth = 1;
    this.errors = 0;
    if (this.options.checked && this.health < this.options.rise) return;
    if (this.op !== 'stopping') this.setRunning();
  }

  // --- what requests show

  saw(what: Shown): void {
    const { observe, checked, errorLimit, onError, rise } = this.options;
    if (!checked || observe === 'none') return;
    const verdict = ((): 'ok' | 'error' | 'nothing' => {
      if (what === 'lease ok') return 'ok';
      if (what === 'lease failed' || what === 'no connection') return 'error';
      if (observe === 'layer4') return 'ok';
      if (what === 'broken reused') return 'nothing';
      if (what === 'broken') return 'error';
      return (what >= 100 && what <= 499) || what === 501 || what === 505 ? 'ok' : 'error';
    })();
    if (verdict === 'ok') this.errors = 0;
    if (verdict !== 'error' || ++this.errors < errorLimit) return;
    if (onError === 'mark-down') this.health = rise;
    if (onError === 'sudden-death' && this.health > rise) this.health = rise + 1;
    if (onError !== 'fastinter') this.#failed();
    this.errors = 0;
    this.hanafail++;
  }

  /** So much time has passed that slow starts are over. */
  timePasses(): void {
    if (this.op === 'starting') this.op = 'running';
  }

  // --- what is shown

  status(pool: string): string {
    let ref: ModelServer = this;
    while (ref.track) ref = ref.track;
    if (this.flags.has('imaint')) return `MAINT (via ${pool}/${this.track?.name})`;
    if (this.maint) return 'MAINT';
    const { checked, agent, rise, fall } = ref.options;
    const left = `${ref.health - rise + 1}/${fall}`;
    if (this.isUp) {
      const failing = checked && ref.health < ref.full;
      if (this.drain && agent) return 'DRAIN (agent)';
      if (this.drain) return failing ? `DRAIN ${left}` : 'DRAIN';
      if (failing) return `UP ${left}`;
      return checked ? 'UP' : 'no check';
    }
    if (this.op === 'stopping')
      return (!this.options.checked && !this.track) || ref.health === ref.full ? 'NOLB' : `NOLB ${left}`;
    if (agent && ref.agentHealth === 0) return 'DOWN (agent)';
    if (checked && ref.health === 0) return 'DOWN';
    return checked || agent ? `DOWN ${ref.health}/${rise}` : 'DOWN';
  }
}
