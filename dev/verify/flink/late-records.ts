/** What the late topics say of records: the second engine gets it, as it has no watermarks of origins to decide for itself. */
import { SluiceError } from '#topology';
import { type DumpOptions } from '../dump.ts';
import { type Range, readTopics } from '../read-topics.ts';

/** An entry of a late topic. */
export interface LateEntry {
  readonly stage: string;
  /** Of the event, or of the purchase. */
  readonly id: string;
  /** Event time, ms. */
  readonly timestamp: number;
  /** It was refused as an event to be counted once, before any window. */
  readonly isAtDedupe: boolean;
  /** Of the window that refused it, ms; null where none of them did alone. */
  readonly windowStart: number | null;
}

/** What is read of an entry: the record as it was at that place of the stage (topology/runtime/task-output.ts). */
interface LateJson {
  readonly windowStart?: number | null;
  readonly value?: {
    readonly eventId?: string;
    readonly purchaseId?: number;
    readonly entry?: { readonly eventId: string } | null;
  };
}

/** The late topics within these ranges. SluiceError SLC_VERIFY_LATE for an entry that does not tell which record it is about. */
export async function readLateEntries(
  { client, deadline }: Pick<DumpOptions, 'client' | 'deadline'>,
  ranges: readonly Range[],
): Promise<LateEntry[]> {
  const entries: LateEntry[] = [];
  await readTopics(client, ranges, deadline, ({ topic, partition }, cursor) => {
    const text = cursor.valueBytes()?.toString('utf8') ?? '';
    entries.push(lateEntryOf(topic, `${topic}-${partition}@${cursor.offset}`, cursor.timestamp, text));
    return undefined;
  });
  return entries;
}

/** One entry; `place` is told when it cannot be read. */
export function lateEntryOf(topic: string, place: string, timestamp: number, text: string): LateEntry {
  const stage = topic.replace(/\.late$/, '');
  const late = parsed(text);
  const { eventId, purchaseId, entry } = late?.value ?? {};
  const windowStart = late?.windowStart ?? null;
  // A visit is no event any more: it has gone through the count of each event once, and falls into no session whatever its window.
  const visitor = entry?.eventId;
  if (visitor !== undefined) return { stage, id: visitor, timestamp, isAtDedupe: false, windowStart: null };
  const id = eventId ?? (purchaseId === undefined ? undefined : String(purchaseId));
  if (id === undefined) {
    throw new SluiceError('SLC_VERIFY_LATE', `${place} does not tell which record was late`, {
      hint: 'Flink cannot be told what to leave out: verify without --flink',
    });
  }
  return { stage, id, timestamp, isAtDedupe: windowStart === null, windowStart };
}

function parsed(text: string): LateJson | undefined {
  try {
    return JSON.parse(text) as LateJson;
  } catch {
    return undefined; // anybody may write there
  }
}
