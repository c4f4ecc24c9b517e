/** Reads back what an engine wrote, committed records only, and makes its checksum. */
import { type KafkaClient, RecordCursor, type RecordBatch } from '#topology';
import { AvroReader } from './avro-writer.ts';
import { checksumOfCounts, fnv, PARTITIONS } from './workload.ts';

/** Which results a workload has. */
export type OutputKind = 'counts' | 'enriched';

const POLL_MS = 200;
/** Given up after so long without anything new. */
const STUCK_MS = 120_000;

/** What an engine has written. */
export interface Output {
  readonly rows: number;
  readonly checksum: string;
}

/** Rows in the topic and the checksum of what they amount to. */
export async function readOutput(
  client: KafkaClient,
  topic: string,
  kind: OutputKind,
  partitions: number = PARTITIONS,
): Promise<Output> {
  const reader = await client.reader({ committed: true });
  const left = new Set(Array.from({ length: partitions }, (_, partition) => partition));
  for (const partition of left) reader.seek({ topic, partition }, 'earliest');
  const sum = kind === 'counts' ? new CountSum() : new RowSum();
  let until = performance.now() + STUCK_MS;
  try {
    while (left.size > 0 && performance.now() < until) {
      for (const { partition, batches, nextOffset, endOffset } of await reader.poll(POLL_MS)) {
        until = performance.now() + STUCK_MS;
        for (const batch of batches) sum.add(batch);
        if (nextOffset >= endOffset) left.delete(partition);
      }
    }
  } finally {
    await reader.close();
  }
  return { rows: sum.rows, checksum: sum.checksum() };
}

/** The last count of a window, item and channel is its count. */
class CountSum {
  rows = 0;
  readonly #cursor = new RecordCursor();
  readonly #avro = new AvroReader();
  readonly #counts = new Map<string, number>();

  add(batch: RecordBatch): void {
    this.#cursor.open(batch);
    while (this.#cursor.next()) {
      const avro = this.#avro.open(this.#cursor.valueBytes() ?? Buffer.alloc(0));
      const key = `${avro.long()}|${avro.text()}|${avro.text()}`;
      this.#counts.set(key, avro.long());
      this.rows++;
    }
  }

  checksum(): string {
    return checksumOfCounts(this.#counts);
  }
}

/** Every row counts, with every byte. */
class RowSum {
  rows = 0;
  readonly #cursor = new RecordCursor();
  #bytes = 0;
  #sum = 0;

  add(batch: RecordBatch): void {
    this.#cursor.open(batch);
    while (this.#cursor.next()) {
      const value = this.#cursor.valueBytes() ?? Buffer.alloc(0);
      this.#sum = (this.#sum + fnv(value)) >>> 0;
      this.#bytes += value.length;
      this.rows++;
    }
  }

  checksum(): string {
    return `${this.rows}:${this.#bytes}:${this.#sum.toString(16)}`;
  }
}
