/** Each rule of event time broken alone: what must make seeds differ, and what must not. */
import type { FromRule } from './check.ts';
import type { Rules } from './model.ts';

/** A broken rule: its number in TIME.md as docs/SEMANTICS.md lists them, in words, and the change. */
export interface Variant {
  readonly rule: string;
  readonly name: string;
  readonly change: Partial<Rules>;
  /** Where to begin to look, of one that shows itself in few seeds. */
  readonly witness?: number;
}

/** Every one of these makes seeds differ. */
export const BROKEN: readonly Variant[] = [
  { rule: '-', name: "Kafka's stream time", change: { policy: 'stream-time' } },
  { rule: '2', name: 'snapshot rows move the clock', change: { snapshot: 'moves' } },
  { rule: '2', name: 'snapshot rows have ow -inf', change: { snapshot: '-inf' } },
  { rule: '2', name: 'maxAhead is measured by the clock of the reader', change: { ahead: 'reader' } },
  { rule: '3', name: 'a hint moves the clock when it is seen', change: { heartbeat: 'raced' } },
  { rule: '3', name: 'every reader has a position of its own', change: { readers: 'own positions' } },
  { rule: '5', name: 'a session accepts ow <= t + gap + grace', change: { session: 'window' } },
  { rule: '5', name: 'a join keeps its sides without the grace', change: { joinKeep: false } },
  { rule: '5', name: 'an outer join keeps r for `after`', change: { outerKeep: false } },
  { rule: '5', name: 'the table is read at arrival', change: { asOf: 'arrival' } },
  { rule: '6', name: 'ow of a final is end + grace', change: { finalOw: 'close' } },
  { rule: '6', name: 'ow of a final is that of the last to come', change: { finalOw: 'trigger' } },
  { rule: '6', name: 'timestamp of a final is the largest of its records', change: { finalTs: 'max' } },
  { rule: '6', name: 'ow of a pair is that of the second side', change: { pairOw: 'trigger' } },
  { rule: '7', name: 'nothing is held back', change: { hold: false } },
  { rule: '7', name: 'an outer join holds back as a left one', change: { outerHold: false } },
  { rule: '8', name: 'the end offset of a promise is ignored', change: { endOffset: false } },
  { rule: '8', name: 'writers without an entry are ignored', change: { roster: false } },
  { rule: '9', name: 'an added partition has no floor', change: { floor: false } },
  { rule: '9', name: 'the join entry is compacted away', change: { joinEntry: 'compacted' }, witness: 1_010 },
  { rule: '10', name: 'records fold in the order of arrival', change: { order: 'arrival' } },
  { rule: '12', name: 'pins are compacted per partition', change: { pins: 'by partition' } },
  { rule: '14', name: 'a partition that has nothing unread is waited for', change: { maxSkew: 5, waits: 'for all' } },
];

/** None of these may make a seed differ. */
export const SOUND: readonly Variant[] = [
  { rule: '12', name: 'promises in steps of 5', change: { tick: 5 } },
  { rule: '14', name: 'partitions more than 5 ahead are paused', change: { maxSkew: 5 } },
  { rule: '14', name: 'partitions that are ahead at all are paused', change: { maxSkew: 0 } },
];

/** A replay from mid-log with a part of its rule left out: its name, the change, and for one that shows itself in few seeds where to begin to look. */
export interface FromVariant {
  readonly name: string;
  readonly change: Partial<FromRule>;
  readonly witness?: number;
}

/** RULE 13 with one part left out: every one of these makes seeds differ. */
export const FROM_BROKEN: readonly FromVariant[] = [
  { name: 'it begins where it was asked to, not at a pin', change: { back: false } },
  { name: 'rows are compared from its start', change: { L: false } },
  { name: 'what stages look back is not counted', change: { reach: false } },
  { name: 'pins at the start itself are left out', change: { at: false }, witness: 1_081 },
  { name: 'tables are read from the middle too', change: { tables: false } },
];

/**
 * The start clock m of a partition makes no difference to what is compared: a record of a compared row has t > L >= m + outOfOrderness, so its own timestamp
 * has moved the clock beyond m. It is kept for the rows at the lower bound, which people read too.
 */
export const FROM_SOUND: readonly FromVariant[] = [{ name: 'no start clock', change: { clock: false } }];
