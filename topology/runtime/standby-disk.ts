/** The copy of one slot's state on disk: the file that the slot would have here, filled from its changelogs while another member owns it. */
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { RecordCursor } from '../record-batch.ts';
import type { SlotIdentity } from '../state/state-disk.ts';
import type { FetchedRecords, KafkaAdmin } from './kafka-client.ts';
import { MAX_COPY_AGE_MS, openSlotState, type SlotState, type StateSettings } from './slot-state.ts';
import type { CopiedStore } from './standby-copy.ts';

/** What a copy on disk needs. */
export interface DiskCopyOptions {
  readonly slot: number;
  readonly stores: readonly CopiedStore[];
  readonly settings: StateSettings;
  readonly identity: Pick<SlotIdentity, 'app' | 'epoch'>;
  readonly admin: KafkaAdmin;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** One store of the copy. */
interface Part {
  readonly name: string;
  /** Next to apply. */
  offset: bigint | 'earliest';
  /** Where the changelog ended when it was read last; undefined before. */
  end: bigint | undefined;
  /** When it was at that end last, ms; at first when it began. */
  at: number;
}

/**
 * Whoever takes the slot on this machine opens the file as after a restart and finds its checkpoint: nothing else has to know of the copy. It is closed
 * before that. Memory holds only what waits to be written, within the state's budget.
 */
export class DiskCopy {
  readonly slot: number;
  readonly #state: SlotState;
  readonly #parts = new Map<string, Part>();
  readonly #cursor = new RecordCursor();
  readonly #checkpointMs: number;
  #writtenAt: number;

  private constructor({ slot, settings }: DiskCopyOptions, state: SlotState, now: number) {
    this.slot = slot;
    this.#state = state;
    this.#checkpointMs = settings.checkpointMs;
    this.#writtenAt = now;
  }

  /** Goes on where the file ends. Throws what openSlotState throws, and what the broker says. */
  static async open(options: DiskCopyOptions): Promise<DiskCopy> {
    const { slot, stores, settings, identity, admin, clock } = options;
    const partitions = stores.map(({ topic }) => ({ topic, partition: slot }));
    const ranges = partitions.length === 0 ? [] : await admin.offsets(partitions, { committed: true });
    const state = await openSlotState(settings, { ...identity, partition: slot }, options);
    const copy = new DiskCopy(options, state, clock.now());
    try {
      for (const [i, { spec, topic }] of stores.entries()) {
        state.makeStore(spec, topic);
        const offset = state.begin(spec.name, ranges[i] ?? { start: 0n, end: 0n });
        copy.#parts.set(topic, { name: spec.name, offset, end: undefined, at: clock.now() });
      }
    } catch (error) {
      copy.close();
      throw error;
    }
    return copy;
  }

  /** Where the file is, as errors of the disk name it. */
  get directory(): string {
    return this.#state.directory;
  }

  /** Changelogs. */
  get topics(): string[] {
    return [...this.#parts.keys()];
  }

  /** As StandbyCopy has it. */
  get lag(): number | undefined {
    let lag = 0;
    for (const { offset, end } of this.#parts.values()) {
      if (end === undefined || offset === 'earliest') return undefined;
      lag += Math.max(0, Number(end - offset));
    }
    return lag;
  }

  /** Not known without reading the file. */
  get entries(): undefined {
    return undefined;
  }

  /** In memory: what waits to be written. */
  get bytes(): number {
    return this.#state.waitingBytes;
  }

  /** Where to read a changelog from. */
  startOf(topic: string): bigint | 'earliest' {
    return this.#parts.get(topic)?.offset ?? 'earliest';
  }

  /** As StandbyCopy has it. Throws what a write to the disk throws. */
  apply({ topic, batches, nextOffset, endOffset }: FetchedRecords, now: number): boolean {
    const part = this.#parts.get(topic);
    if (part === undefined) return true;
    if (now - part.at > MAX_COPY_AGE_MS) {
      this.restart(topic, now);
      return false;
    }
    for (const batch of batches) {
      this.#cursor.open(batch);
      while (this.#cursor.next()) {
        const key = this.#cursor.keyBytes();
        if (key !== null) this.#state.restore(part.name, key, this.#cursor.valueBytes());
      }
    }
    part.offset = nextOffset;
    part.end = endOffset;
    if (nextOffset >= endOffset) part.at = now;
    this.#state.reached(part.name, nextOffset);
    if (now - this.#writtenAt >= this.#checkpointMs) {
      this.#writtenAt = now;
      this.#state.flush();
    }
    return true;
  }

  /** Forgets what it has of one changelog. */
  restart(topic: string, now: number): void {
    const part = this.#parts.get(topic);
    if (part === undefined) return;
    this.#state.forget(part.name);
    part.offset = 'earliest';
    part.end = undefined;
    part.at = now;
  }

  /** Writes what waits, and gives the file free. */
  close(): void {
    this.#state.close(false);
  }
}
