/**
 * Skew (TIME.md rule 14): a partition of an origin topic that is far ahead fills the windows that wait for the others. So it waits while its clock is more
 * than `maxSkewMs` ahead of a partition of its topic that has unread records; one that has none holds nobody, and the one that is behind never waits. It
 * delays, and changes no result.
 *
 * Slots of this process are looked at as they are. Of the others Kafka knows: clocks are committed with positions. They are asked for when an input has come
 * to the end of what it may, so an application that is in one process, or up to date, asks (nearly) never.
 */
import type { Clock } from '../clock.ts';
import type { Topology } from '../dsl/topology.ts';
import type { Logger } from '../logger.ts';
import type { TopicPartition } from '../record.ts';
import { parseClock } from './committed-clock.ts';
import type { CommittedOffset, KafkaAdmin } from './kafka-client.ts';
import type { ReplayFeed } from './replay-feed.ts';
import type { Slot } from './slot.ts';
import type { SlotInput } from './slot-input.ts';

/** What of a slot counts here. */
export type SkewSlot = Pick<Slot, 'inputs' | 'hasRecords' | 'waits'>;

/** A slot of this process. */
export interface SkewMember {
  readonly slot: SkewSlot | undefined;
  wake(): void;
}

/** An input that waits, and for whom. */
export interface SkewWait extends TopicPartition {
  /** Of the same topic; null while it is asked for. */
  readonly waitsFor: number | null;
  /** Event time, ms; null when nothing is known of the other one's. */
  readonly aheadMs: number | null;
}

/** What a gate needs. */
export interface SkewGateOptions {
  readonly app: string;
  readonly topology: Topology;
  readonly admin: KafkaAdmin;
  readonly clock: Clock;
  readonly logger: Logger;
  /** In a replay, where inputs begin and end. */
  readonly feed: ReplayFeed | undefined;
  readonly maxSkewMs: number;
  /** A slot of another process that commits nothing for that long is no longer waited for, ms of wall clock. */
  readonly idleAfterMs: number;
}

/** The partition that is behind all others, ms of event time. */
interface Least {
  readonly at: number;
  /** null: whoever that may be. */
  readonly partition: number | null;
}

/** How far a partition of another process is, by what is committed. */
interface Stand {
  readonly tp: TopicPartition;
  readonly position: bigint;
  readonly end: bigint;
}

const NOBODY: Least = { at: Infinity, partition: null };
const UNKNOWN: Least = { at: -Infinity, partition: null };
const ASK_MS = 50;

export class SkewGate {
  readonly #options: SkewGateOptions;
  /** Per origin topic how many partitions it has. */
  readonly #counts: ReadonlyMap<string, number>;
  readonly #members = new Set<SkewMember>();
  /** Of the slots of this process, by topic. */
  readonly #inputs = new Map<string, SlotInput[]>();
  /** Of the slots of other processes, by topic, as it was when they were last asked for; it holds up to the clock that an input of ours had then. */
  readonly #elsewhere = new Map<string, Least>();
  /** Where slots of other processes that have unread records stand, and since when. */
  readonly #standing = new Map<number, { readonly positions: string; readonly since: number }>();
  #askedAt = -Infinity;
  #asking: Promise<void> | undefined;
  /** Counts the changes of who is here. */
  #changes = 0;

  constructor(options: SkewGateOptions) {
    this.#options = options;
    const counts = new Map<string, number>();
    for (const { sources, partitions } of options.topology.subTopologies) {
      for (const { topic } of sources)
        if ('origin' in topic && topic.origin !== undefined) counts.set(topic.name, partitions);
    }
    this.#counts = counts;
  }

  /** A slot has been taken. */
  join(member: SkewMember): void {
    this.#members.add(member);
    this.#changed();
  }

  leave(member: SkewMember): void {
    if (this.#members.delete(member)) this.#changed();
  }

  /** How far the inputs of a slot may go now; call it before it processes. */
  admit(slot: SkewSlot): void {
    const { maxSkewMs } = this.#options;
    for (const input of slot.inputs) {
      // What comes to one that has nothing now is looked at when it is there.
      input.ceiling = Infinity;
      if (input.clock === undefined || !input.hasRecord) continue;
      const elsewhere = this.#leastElsewhere(input).at;
      input.ceiling = Math.min(this.#leastHere(input).at, elsewhere) + maxSkewMs;
      if (input.watermark > elsewhere + maxSkewMs) this.#ask();
    }
  }

  /** A slot has processed something: who waited for it may go on. */
  moved(slot: SkewSlot | undefined): void {
    for (const member of this.#members) {
      if (member.slot === undefined || member.slot === slot || !member.slot.waits) continue;
      this.admit(member.slot);
      if (member.slot.hasRecords) member.wake();
    }
  }

  /** Who waits now. */
  waits(): SkewWait[] {
    const slots = [...this.#members].flatMap((member) => member.slot ?? []);
    const waiting = slots.flatMap((slot) => slot.inputs.filter((input) => input.hasRecord && input.isAhead));
    return waiting.map((input) => {
      const [here, elsewhere] = [this.#leastHere(input), this.#leastElsewhere(input)];
      const least = here.at <= elsewhere.at ? here : elsewhere;
      const aheadMs = Number.isFinite(least.at) ? input.watermark - least.at : null;
      return { ...input.tp, waitsFor: least.partition, aheadMs };
    });
  }

  #changed(): void {
    this.#changes++;
    this.#elsewhere.clear();
    this.#inputs.clear();
    for (const { slot } of this.#members) {
      for (const input of slot?.inputs ?? []) {
        const topic = input.source.name;
        this.#inputs.set(topic, [...(this.#inputs.get(topic) ?? []), input]);
      }
    }
  }

  #leastHere(input: SlotInput): Least {
    let least = NOBODY;
    for (const other of this.#inputs.get(input.source.name) ?? []) {
      if (other === input || other.reach >= least.at || !other.hasUnread) continue;
      least = { at: other.reach, partition: other.tp.partition };
    }
    return least;
  }

  #leastElsewhere({ source }: SlotInput): Least {
    const here = this.#inputs.get(source.name)?.length ?? 0;
    if (here >= (this.#counts.get(source.name) ?? 0)) return NOBODY;
    return this.#elsewhere.get(source.name) ?? UNKNOWN;
  }

  #ask(): void {
    const { clock } = this.#options;
    if (this.#asking !== undefined || clock.now() - this.#askedAt < ASK_MS) return;
    this.#askedAt = clock.now();
    this.#asking = this.#look().finally(() => {
      this.#asking = undefined;
      this.moved(undefined);
    });
  }

  /** Never rejects: who cannot be asked for holds nobody until the next time. */
  async #look(): Promise<void> {
    const changes = this.#changes;
    // Nothing is known beyond that: who has nothing unread now may have by then.
    const upTo = new Map([...this.#inputs].map(([topic, inputs]) => [topic, furthest(inputs)]));
    let found: ReadonlyMap<string, Least>;
    try {
      found = await this.#leastByTopic();
    } catch (error) {
      this.#options.logger.debug({ reason: String(error) }, 'how far other slots are is not known');
      found = new Map();
    }
    if (changes !== this.#changes) return;
    for (const [topic, at] of upTo) {
      const least = found.get(topic) ?? NOBODY;
      this.#elsewhere.set(topic, least.at <= at ? least : { at, partition: null });
    }
  }

  async #leastByTopic(): Promise<Map<string, Least>> {
    const { app, admin, feed } = this.#options;
    const partitions = this.#partitionsElsewhere();
    const ranges = await admin.offsets(partitions, { committed: true });
    const committed = new Map((await admin.committedOffsets(app, partitions)).map((each) => [idOf(each), each]));
    const stands = partitions.map((tp, i) => {
      const { start, end } = ranges[i] ?? { start: 0n, end: 0n };
      const frozen = feed?.rangeOf(tp);
      const begin = frozen ?? { offset: start, clock: -Infinity };
      const isCut = frozen?.end !== undefined && frozen.end < end;
      return { tp, end: isCut ? frozen.end : end, ...standOf(committed.get(idOf(tp)), begin) };
    });
    const going = this.#going(stands);
    const found = new Map<string, Least>();
    for (const { tp, position, end, reach } of stands) {
      if (position >= end || !going.has(tp.partition) || reach >= (found.get(tp.topic) ?? NOBODY).at) continue;
      found.set(tp.topic, { at: reach, partition: tp.partition });
    }
    return found;
  }

  #partitionsElsewhere(): TopicPartition[] {
    return [...this.#counts].flatMap(([topic, count]) => {
      const here = new Set(this.#inputs.get(topic)?.map((input) => input.tp.partition));
      const all = Array.from({ length: count }, (_, partition) => ({ topic, partition }));
      return all.filter(({ partition }) => !here.has(partition));
    });
  }

  /** Slots that have unread records, and commit: a process that hangs must not stop the others. */
  #going(stands: readonly Stand[]): Set<number> {
    const { clock, idleAfterMs } = this.#options;
    const going = new Set<number>();
    for (const [slot, all] of Map.groupBy(stands, ({ tp }) => tp.partition)) {
      if (all.every(({ position, end }) => position >= end)) {
        this.#standing.delete(slot);
        continue;
      }
      const positions = all.map(({ position }) => position).join();
      const known = this.#standing.get(slot);
      const isNew = known?.positions !== positions;
      if (isNew) this.#standing.set(slot, { positions, since: clock.now() });
      if (isNew || clock.now() - known.since < idleAfterMs) going.add(slot);
    }
    return going;
  }
}

const idOf = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`;

function furthest(inputs: readonly SlotInput[]): number {
  return Math.max(-Infinity, ...inputs.map((input) => input.watermark));
}

function standOf(
  committed: CommittedOffset | undefined,
  start: { readonly offset: bigint; readonly clock: number },
): { readonly position: bigint; readonly reach: number } {
  if (committed === undefined) return { position: start.offset, reach: start.clock };
  const { w, next } = parseClock(committed.metadata);
  return { position: committed.offset, reach: Math.max(w, next) };
}
