/** Tombstones that erase: to stages no records, to sinks and readers outside deletes. */
import {
  BatchBuilder,
  ERASED_HEADER,
  type ReadyBatch,
  type RecordHeader,
  TIME_HEADER,
  type TopicPartition,
} from '#topology';

/** A key to be ended. `time`: the header `sluice-time` of its row; undefined: it is an entry of a changelog, which has none. */
export interface EndedKey extends TopicPartition {
  readonly key: Buffer;
  /** Of the row, ms. */
  readonly timestamp: number;
  readonly time?: Buffer | null;
}

const NOTHING = new Uint8Array();

/** A batch per partition; rows keep their time, and the header that tells it to readers. */
export function tombstonesOf(found: readonly EndedKey[]): { readonly ready: ReadyBatch; readonly count: number }[] {
  return [...Map.groupBy(found, ({ topic, partition }) => `${topic}/${partition}`).values()].flatMap((some) => {
    const [first] = some;
    if (first === undefined) return [];
    const batch = new BatchBuilder();
    for (const each of some) batch.append(each.key, null, each.timestamp, headersOf(each));
    return [{ ready: { topic: first.topic, partition: first.partition, batch }, count: some.length }];
  });
}

function headersOf({ time }: EndedKey): RecordHeader[] {
  if (time === undefined) return [];
  return [...(time === null ? [] : ([[TIME_HEADER, time]] satisfies RecordHeader[])), [ERASED_HEADER, NOTHING]];
}
