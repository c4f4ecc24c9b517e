import { NotReadyError } from '../errors.ts';
import { RecordCursor } from '../record-batch.ts';
import type { GlobalTableCopy } from '../runtime/global-table-copy.ts';
import type { MemoryLog } from './memory-log.ts';

/** Brings global tables up to the ends of logs in memory: what was written is in them at once, as in Kafka Streams' driver. */
export class GlobalTableFollower {
  readonly #copies: ReadonlySet<GlobalTableCopy>;
  readonly #logOf: (topic: string, partition: number) => MemoryLog;
  /** The next offset of each partition. */
  readonly #read = new Map<string, bigint>();
  readonly #cursor = new RecordCursor();

  constructor(copies: Iterable<GlobalTableCopy>, logOf: (topic: string, partition: number) => MemoryLog) {
    this.#copies = new Set(copies);
    this.#logOf = logOf;
  }

  /** Rejects with RecordError for a record that cannot be read. */
  async follow(): Promise<void> {
    for (const copy of this.#copies) {
      for (let partition = 0; partition < copy.partitions; partition++) await this.#followOne(copy, partition);
    }
  }

  async #followOne(copy: GlobalTableCopy, partition: number): Promise<void> {
    const tp = { topic: copy.source.name, partition };
    const log = this.#logOf(tp.topic, partition);
    const at = `${tp.topic}|${partition}`;
    for (const batch of log.from(this.#read.get(at) ?? 0n, Infinity)) {
      this.#cursor.open(batch);
      while (this.#cursor.next()) await whenReady(() => copy.take(tp, this.#cursor));
    }
    this.#read.set(at, log.end);
  }
}

/** Again when a schema that it needs has come. */
async function whenReady(work: () => void): Promise<void> {
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof NotReadyError)) throw error;
      await error.ready;
    }
  }
}
