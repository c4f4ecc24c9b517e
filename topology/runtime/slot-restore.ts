/** The restore of one slot: which stores there are, what they have on disk or as a standby copy, and a word about how long it takes. */
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import type { KafkaAdmin, KafkaClient } from './kafka-client.ts';
import { type Restorable, type RestoreProgress, restoreStores } from './restore.ts';
import type { SlotState } from './slot-state.ts';
import type { StandbyCopy } from './standby-copy.ts';
import type { Task } from './task.ts';

/** Restores the stores of a slot's tasks; returns how many changelog records were applied. */
export async function restoreSlot(options: {
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly partition: number;
  readonly tasks: readonly Task[];
  /** Of a store. */
  readonly changelogs: ReadonlyMap<string, string>;
  /** undefined: all is in memory. */
  readonly state: SlotState | undefined;
  /** Whose stores those of the tasks are; undefined: they are empty. */
  readonly copy: StandbyCopy | undefined;
  readonly signal: AbortSignal;
  readonly progress: RestoreProgress;
}): Promise<number> {
  const { tasks, state, partition, logger } = options;
  const stores = tasks.flatMap((task) => [...task.stores.keys()].map((name) => restorable(task, name, options)));
  const restored = await restoreStores({
    ...options,
    stores,
    onProgress: (progress) => logger.info({ slot: partition, ...progress }, wordsOf(partition, progress)),
  });
  state?.attach();
  return restored;
}

type Sources = Pick<Parameters<typeof restoreSlot>[0], 'changelogs' | 'state' | 'copy' | 'clock'>;

function restorable(task: Task, name: string, { changelogs, state, copy, clock }: Sources): Restorable {
  const topic = changelogs.get(name) ?? '';
  const load = (key: Uint8Array, value: Uint8Array | null): void => task.restore(name, key, value);
  if (copy !== undefined) return { topic, begin: (range) => copy.begin(name, range, clock.now(), load), restore: load };
  if (state === undefined) return { topic, restore: load };
  return {
    topic,
    begin: (range) => state.begin(name, range, load),
    restore: (key, value) => state.restore(name, key, value, load),
    reached: (offset) => state.reached(name, offset),
  };
}

function wordsOf(partition: number, { total, done, perSecond, etaMs }: RestoreProgress): string {
  const share = total === 0 ? 100 : Math.floor((100 * done) / total);
  const left = etaMs === undefined ? '' : `, about ${Math.ceil(etaMs / 1_000)} s left`;
  return `slot ${partition}: restoring, ${done} of ${total} (${share} %), ${Math.round(perSecond)} a second${left}`;
}
