import type { TopicPartition } from '../record.ts';
import type { Pin, WriterPromise } from '../time/ledger-records.ts';
import type { StartPosition } from './wiring.ts';

/**
 * What makes a run of an application a replay (TIME.md rule 13): where its inputs begin and end, and what the recorded run knew of their clocks.
 * With it, no hint is read: time moves by the log and by these pins and promises alone.
 */
export interface ReplayFeed {
  /** Where an input of the replay begins, its clock there, and its frozen end; undefined for topics that the replay writes itself. */
  rangeOf(at: TopicPartition): StartPosition | undefined;
  /** The frozen end of a partition of a global table's topic; undefined for topics that are none. */
  tableEndOf(at: TopicPartition): bigint | undefined;
  /** Pins of the recorded run, of all origin partitions with this number. */
  pinsOf(partition: number): Iterable<Pin>;
  /** Promises about derived topics that the replay reads and does not write, none of them about offsets behind the frozen ends. */
  readonly promises: readonly WriterPromise[];
  /** Names that have a number already, in the order of the recorded run: coordinates, and so the order of folds, are as they were. */
  readonly names: readonly string[];
}
