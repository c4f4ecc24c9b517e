/**
 * Hints (topic `sluice.hints`, TIME.md rule 3): what the writers of origin topics say about the time that they have reached. They change no clock
 * by themselves: the slot that reads the partition turns them into pins.
 * Record: key UTF-8 `<writer>|<topic>|<partition>`, value JSON {"writer","topic","partition","m","endOffset","at"}.
 */

/** Name of the topic: one partition, compacted, shared by all applications. */
export const HINTS_TOPIC = 'sluice.hints';

/** "Up to endOffset of this partition I have written everything with event time below m + outOfOrderness." */
export interface Hint {
  readonly writer: string;
  readonly topic: string;
  readonly partition: number;
  /** Time reached minus the topic's outOfOrderness, ms. */
  readonly m: number;
  /** The writer's own last acknowledged offset there + 1. */
  readonly endOffset: bigint;
  /** Wall clock at the writer, ms. */
  readonly at: number;
}

/** A hint as record. */
export function encodeHint(hint: Hint): { key: Uint8Array; value: Uint8Array } {
  const encoder = new TextEncoder();
  const { writer, topic, partition, m, at } = hint;
  return {
    key: encoder.encode(`${writer}|${topic}|${partition}`),
    value: encoder.encode(JSON.stringify({ writer, topic, partition, m, endOffset: String(hint.endOffset), at })),
  };
}

/** Parses a hint; undefined for tombstones and for what is no hint. */
export function parseHint(value: Buffer | null): Hint | undefined {
  if (value === null) return undefined;
  try {
    const { writer, topic, partition, m, endOffset, at } = JSON.parse(value.toString('utf8')) as Record<
      string,
      unknown
    >;
    if (typeof writer !== 'string' || typeof topic !== 'string' || typeof partition !== 'number') return undefined;
    if (typeof m !== 'number' || typeof endOffset !== 'string' || typeof at !== 'number') return undefined;
    return { writer, topic, partition, m, endOffset: BigInt(endOffset), at };
  } catch {
    return undefined; // anybody may write there; what is no hint says nothing
  }
}

/** The newest hints. */
export class HintView {
  readonly #hints = new Map<string, Map<string, Hint>>();

  receive(hint: Hint): void {
    const id = `${hint.topic}|${hint.partition}`;
    let writers = this.#hints.get(id);
    if (writers === undefined) this.#hints.set(id, (writers = new Map()));
    writers.set(hint.writer, hint);
  }

  /** Whose hint about a partition is the least; undefined when nobody has given one. */
  writerOf(topic: string, partition: number): string | undefined {
    const hints = [...(this.#hints.get(`${topic}|${partition}`)?.values() ?? [])];
    return hints.toSorted((a, b) => a.m - b.m)[0]?.writer;
  }

  /**
   * What all live writers of a partition have reached, ms, once `position` has passed all that they wrote; undefined otherwise.
   * A writer silent for `idleAfterMs` is left out: it may only be late.
   */
  reached(topic: string, partition: number, position: bigint, now: number, idleAfterMs: number): number | undefined {
    const writers = this.#hints.get(`${topic}|${partition}`);
    if (writers === undefined) return undefined;
    let m: number | undefined;
    for (const hint of writers.values()) {
      if (now - hint.at > idleAfterMs && writers.size > 1) continue;
      if (hint.endOffset > position) return undefined;
      m = m === undefined ? hint.m : Math.min(m, hint.m);
    }
    return m;
  }
}
