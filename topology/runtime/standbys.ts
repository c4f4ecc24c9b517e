/**
 * Standby copies: a process keeps the state of slots that others own, by reading their changelogs as they are committed. A slot whose owner dies is taken
 * by a process with a copy (assign-partitions.ts), which has to restore only what the copy lacks.
 */
import type { Clock } from '../clock.ts';
import type { Topology } from '../dsl/topology.ts';
import { RetriableError, SluiceError, TaskCorruptedError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { assignStandbys, type StandbyAssignment } from './assign-standbys.ts';
import type { FetchedRecords, KafkaAdmin, KafkaClient, KafkaReader } from './kafka-client.ts';
import { slotCount } from './run-progress.ts';
import type { StateSettings } from './slot-state.ts';
import { type CopiedStore, StandbyCopy } from './standby-copy.ts';
import { DiskCopy } from './standby-disk.ts';

/** One copy, for people. */
export interface StandbyStats {
  readonly slot: number;
  /** Changelog offsets behind its owner's commits; null before it is known. */
  readonly lag: number | null;
  /** null on disk, where that is not known. */
  readonly entries: number | null;
  /** In memory, estimated as StoreSize has it; on disk, what waits to be written. */
  readonly bytes: number;
}

/** What standby copies need. */
export interface StandbysOptions {
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  readonly topology: Topology;
  /** undefined: copies are in memory. */
  readonly state: StateSettings | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Copies of all slots that are to be this member's own have come: the group may share out again. */
  onWarm(): void;
  /** An error after which this process must not go on. */
  onFatal(error: Error): void;
}

/** A copy that is behind by more offsets is none that a slot should move to. */
const WARM_LAG = 10_000;
const POLL_MS = 250;
const BACKOFF_MS = 500;
/** Of one fetch: it is applied at once, and the slots of the process wait for it. */
const MAX_BYTES = 2 * 2 ** 20;
const MAX_BYTES_PER_PARTITION = 512 * 2 ** 10;
const NOTHING: StandbyAssignment = { slots: [], destined: [] };

export class Standbys {
  readonly #options: StandbysOptions;
  readonly #copies = new Map<number, StandbyCopy | DiskCopy>();
  /** Slots that this member is to keep copies of. */
  #wanted: ReadonlySet<number> = new Set();
  /** Copies on disk whose files are being opened. */
  readonly #opening = new Map<number, Promise<void>>();
  #destined: readonly number[] = [];
  #reader: KafkaReader | undefined;
  #running: Promise<void> | undefined;
  /** Counts assignments: what was asked for an earlier one is not used. */
  #nth = 0;

  constructor(options: StandbysOptions) {
    this.#options = options;
  }

  /** Slots with a copy that a slot may move to. */
  get warm(): number[] {
    return [...this.#copies.values()].filter(isWarm).map(({ slot }) => slot);
  }

  read(): StandbyStats[] {
    const copies = [...this.#copies.values()].toSorted((a, b) => a.slot - b.slot);
    return copies.map(({ slot, lag, entries, bytes }) => ({ slot, lag: lag ?? null, entries: entries ?? null, bytes }));
  }

  /** This member owns the slot now: the copy is no longer filled here. undefined: there is none, or it is where the slot looks for its own file. */
  take(slot: number): StandbyCopy | undefined {
    this.#wanted = new Set([...this.#wanted].filter((each) => each !== slot));
    const copy = this.#copies.get(slot);
    if (copy === undefined) return undefined;
    this.#forget(copy);
    if (copy instanceof StandbyCopy) return copy;
    this.#options.logger.info({ slot, copy: 'file' }, `the file of slot ${slot} is its standby copy`);
    return undefined;
  }

  /** The group has shared out: finds what this member is to keep copies of, as soon as the group tells of all. undefined: it is no member, copies stay. */
  async follow(memberId: string | undefined): Promise<void> {
    const nth = ++this.#nth;
    const { admin, topology, clock, signal, logger } = this.#options;
    this.#destined = [];
    if (memberId === undefined) return;
    while (nth === this.#nth && !signal.aborted) {
      try {
        const members = (await admin.groupMembers(topology.app)).filter(({ epoch }) => epoch === topology.epoch);
        if (nth !== this.#nth) return;
        // One that is not among them has been expelled, and will be told.
        return this.#keep(assignStandbys(members, slotCount(topology)).get(memberId) ?? NOTHING);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof RetriableError)) return this.#options.onFatal(error as Error);
        logger.debug({ code: error.code }, `standby copies: ${error.message}; asking again`);
        await clock.sleep(BACKOFF_MS, signal);
      }
    }
  }

  /** Reads until the signal; resolves then. */
  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    await this.#running;
    await Promise.all(this.#opening.values());
    for (const copy of this.#copies.values()) this.#forget(copy);
    await this.#reader?.close();
  }

  #keep({ slots, destined }: StandbyAssignment): void {
    const { topology, state, clock, logger } = this.#options;
    this.#destined = destined;
    this.#wanted = new Set(slots);
    for (const copy of this.#copies.values()) if (!slots.includes(copy.slot)) this.#forget(copy);
    const added = slots.filter((slot) => !this.#copies.has(slot));
    for (const slot of added) {
      if (state === undefined) this.#add(new StandbyCopy(slot, storesOf(topology, slot), clock.now()));
      else this.#beginOnDisk(slot, state);
    }
    if (added.length > 0) logger.info({ slots: added }, `standby copies of slots ${added.join(', ')} begin`);
  }

  #add(copy: StandbyCopy | DiskCopy): void {
    this.#copies.set(copy.slot, copy);
    for (const topic of copy.topics) this.#reader?.seek({ topic, partition: copy.slot }, copy.startOf(topic));
  }

  #beginOnDisk(slot: number, settings: StateSettings): void {
    if (!this.#opening.has(slot)) this.#opening.set(slot, this.#openOnDisk(slot, settings));
  }

  /** Whoever has had the file may not have given it free yet. */
  async #openOnDisk(slot: number, settings: StateSettings): Promise<void> {
    const { topology, clock, logger, signal } = this.#options;
    const stores = storesOf(topology, slot);
    while (this.#wanted.has(slot) && !signal.aborted) {
      try {
        const copy = await DiskCopy.open({ ...this.#options, slot, stores, settings, identity: topology });
        if (this.#wanted.has(slot) && !signal.aborted) this.#add(copy);
        else copy.close();
        break;
      } catch (error) {
        if (signal.aborted) break;
        if (!(error instanceof RetriableError)) {
          this.#options.onFatal(error as Error);
          break;
        }
        logger.warn({ slot, code: error.code }, `standby copy of slot ${slot}: ${error.message}; trying again`);
        await clock.sleep(BACKOFF_MS, signal);
      }
    }
    this.#opening.delete(slot);
  }

  #forget(copy: StandbyCopy | DiskCopy): void {
    this.#copies.delete(copy.slot);
    for (const topic of copy.topics) this.#reader?.remove({ topic, partition: copy.slot });
    if (copy instanceof DiskCopy) copy.close();
  }

  async #run(): Promise<void> {
    const { client, clock, signal } = this.#options;
    while (!signal.aborted) {
      try {
        this.#reader ??= await this.#open(client);
        const fetched = await this.#reader.poll(POLL_MS);
        for (const one of fetched) this.#apply(this.#reader, one);
        this.#tellWhenWarm();
        // Between two fetches the slots have their turn.
        if (fetched.length > 0) await new Promise((resolve) => setImmediate(resolve));
      } catch (error) {
        if (signal.aborted) return;
        if (!this.#mayGoOn(error)) return this.#options.onFatal(error as Error);
        await clock.sleep(BACKOFF_MS, signal);
      }
    }
  }

  async #open(client: KafkaClient): Promise<KafkaReader> {
    const reader = await client.reader({
      committed: true,
      maxBytes: MAX_BYTES,
      maxBytesPerPartition: MAX_BYTES_PER_PARTITION,
    });
    for (const copy of this.#copies.values())
      for (const topic of copy.topics) reader.seek({ topic, partition: copy.slot }, copy.startOf(topic));
    return reader;
  }

  #apply(reader: KafkaReader, fetched: FetchedRecords): void {
    const { topic, partition } = fetched;
    const isApplied = this.#copies.get(partition)?.apply(fetched, this.#options.clock.now()) ?? true;
    if (!isApplied) reader.seek({ topic, partition }, 'earliest');
  }

  #tellWhenWarm(): void {
    const destined = this.#destined;
    if (destined.length === 0) return;
    const warm = new Set(this.warm);
    // Of what lies where this member is no copy is kept.
    if (!destined.every((slot) => warm.has(slot) || !this.#copies.has(slot))) return;
    this.#destined = [];
    this.#options.logger.info({ slots: destined }, `copies of slots ${destined.join(', ')} are there: asking for them`);
    this.#options.onWarm();
  }

  /** A copy is a convenience: what cannot be read is begun anew, or left to the restore. */
  #mayGoOn(error: unknown): boolean {
    const { logger, clock } = this.#options;
    if (!(error instanceof SluiceError)) return false;
    logger.warn({ code: error.code }, `standby copies: ${error.message}; trying again`);
    if (error instanceof RetriableError) return true;
    if (!(error instanceof TaskCorruptedError)) return false;
    const { state } = this.#options;
    for (const copy of this.#copies.values()) {
      if (copy instanceof DiskCopy && state !== undefined && error.where === copy.directory) {
        // Closing deletes what is damaged.
        this.#forget(copy);
        this.#beginOnDisk(copy.slot, state);
        return true;
      }
      const topic = copy.topics.find((each) => error.where === `${each}-${copy.slot}`);
      if (topic === undefined) continue;
      if (error.code !== 'SLC_TASK_OFFSET_OUT_OF_RANGE') this.#forget(copy);
      else {
        copy.restart(topic, clock.now());
        this.#reader?.seek({ topic, partition: copy.slot }, 'earliest');
      }
      return true;
    }
    return false;
  }
}

/** Stores of a slot, with their changelogs. */
function storesOf({ subTopologies, changelogs }: Topology, slot: number): CopiedStore[] {
  const topics = new Map(changelogs.map(({ store, topic }) => [store, topic]));
  const specs = subTopologies.filter(({ partitions }) => slot < partitions).flatMap(({ stores }) => stores);
  return specs.flatMap((spec) => {
    const topic = topics.get(spec.name);
    return topic === undefined ? [] : [{ spec, topic }];
  });
}

function isWarm({ lag }: StandbyCopy | DiskCopy): boolean {
  return lag !== undefined && lag <= WARM_LAG;
}
