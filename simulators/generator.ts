/** One sequence of events and changes by seed: ten turns of events, one of changes. Times and pace come from the caller. */
import { ChangeSource, type SimTransaction } from './changes.ts';
import { EventSource, type SimEvent } from './events.ts';
import { Random } from './random.ts';
import type { World } from './world.ts';

export const EVENTS_PER_CHANGE = 10;
const CYCLE = EVENTS_PER_CHANGE + 1;

export type Step =
  | { readonly kind: 'event'; readonly event: SimEvent }
  | { readonly kind: 'transaction'; readonly transaction: SimTransaction }
  | undefined;

export class Generator {
  readonly #events: EventSource;
  readonly #changes: ChangeSource;
  #turn = 0;

  /** `life` counts the starts of the simulator: another life has other ids. `logins`: times their share of the events. */
  constructor(seed: string, life: number, world: World, logins = 1) {
    this.#events = new EventSource(new Random(seed, life, 'events'), world, logins);
    const changes = new Random(seed, life, 'changes');
    this.#changes = new ChangeSource(changes, world, this.#events);
  }

  /** What happens in this turn at the sender's time `base`; undefined in a turn of changes that an earlier transaction has used up. */
  next(base: number, wall: number): Step {
    const isChange = this.#turn++ % CYCLE === EVENTS_PER_CHANGE;
    if (!isChange) return { kind: 'event', event: this.#events.next(base, wall) };
    const transaction = this.#changes.next(base);
    return transaction && { kind: 'transaction', transaction };
  }
}
