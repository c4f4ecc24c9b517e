/** Late records and dead letters, counted again and again: each time only what has come since is read. */
import type { KafkaAdmin, KafkaClient } from '#topology';
import { rangesOf } from '../verify/read-topics.ts';
import { lateOf } from './late.ts';
import { letterOf, placeOf } from './letters.ts';
import { scan } from './scan.ts';

/** What one topic of late records or dead letters has, of one reason. Times are event time, ms. */
export interface PutAside {
  readonly kind: 'late' | 'dead';
  readonly topic: string;
  readonly stage: string;
  /** Why it was late, or the error's code. */
  readonly reason: string;
  /** Of those that were there when the first reading came by, and all since. */
  count: number;
  newest: number;
  /** `<topic>-<partition>@<offset>` of the newest, and what was wrong with it. */
  example: string;
  detail: string;
}

/** Stages and codes are few; whoever writes others into these topics does not fill the memory. */
const MAX_REASONS = 500;
const DETAIL_LENGTH = 300;
const NAME_LENGTH = 200;

/** Not for concurrent use. */
export class PutAsideCounter {
  readonly #next = new Map<string, bigint>();
  readonly #counts = new Map<string, PutAside>();

  /** Most first. `complete` false: the time ran out, the next reading goes on. `deadline`: wall clock, ms. */
  async read(
    client: KafkaClient,
    admin: KafkaAdmin,
    topics: readonly string[],
    deadline: number,
  ): Promise<{ counts: PutAside[]; complete: boolean }> {
    const ranges = (await rangesOf(admin, topics)).map((range) => {
      const next = this.#next.get(`${range.topic}/${range.partition}`) ?? 0n;
      // A topic that was deleted and made anew begins anew.
      return { ...range, start: next > range.start && next <= range.end ? next : range.start };
    });
    const complete = await scan({
      client,
      ranges,
      deadline,
      take: (at, cursor) => {
        this.#next.set(`${at.topic}/${at.partition}`, BigInt(cursor.offset) + 1n);
        if (at.topic.endsWith('.late')) {
          const place = `${at.topic}-${at.partition}@${cursor.offset}`;
          const { stage, reason, latenessMs, key } = lateOf(place, at.topic, cursor.timestamp, cursor.valueBytes());
          const detail = `${key ?? 'no key'}, ${latenessMs === null ? 'late' : `${latenessMs / 1_000} s late`}`;
          this.#count('late', at.topic, { stage, reason, place, detail, timestamp: cursor.timestamp });
        } else {
          const letter = letterOf(at, cursor);
          const { stage, code, timestamp, reason } = letter;
          this.#count('dead', at.topic, { stage, reason: code, place: placeOf(letter), detail: reason, timestamp });
        }
        return undefined;
      },
    });
    if (complete) for (const { topic, partition, end } of ranges) this.#next.set(`${topic}/${partition}`, end);
    const counts = [...this.#counts.values()].map((each) => ({ ...each }));
    return { counts: counts.toSorted((a, b) => b.count - a.count || (a.topic < b.topic ? -1 : 1)), complete };
  }

  #count(
    kind: PutAside['kind'],
    topic: string,
    one: {
      readonly stage: unknown;
      readonly reason: unknown;
      readonly place: string;
      readonly detail: string;
      readonly timestamp: number;
    },
  ): void {
    const asked = { stage: nameOf(one.stage), reason: nameOf(one.reason) };
    const known = this.#counts.has(idOf(topic, asked)) || this.#counts.size < MAX_REASONS;
    const { stage, reason } = known ? asked : { stage: asked.stage, reason: 'others' };
    const id = idOf(topic, { stage, reason });
    let held = this.#counts.get(id);
    if (held === undefined) {
      if (this.#counts.size >= MAX_REASONS * 2) return;
      this.#counts.set(
        id,
        (held = { kind, topic, stage, reason, count: 0, newest: -Infinity, example: '', detail: '' }),
      );
    }
    held.count++;
    if (one.timestamp < held.newest) return;
    held.newest = one.timestamp;
    held.example = one.place;
    held.detail = one.detail.slice(0, DETAIL_LENGTH);
  }
}

/** Anybody may write into these topics: what should be a text may be anything that JSON has. */
function nameOf(value: unknown): string {
  return (typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).slice(0, NAME_LENGTH);
}

const idOf = (topic: string, { stage, reason }: { readonly stage: string; readonly reason: string }): string =>
  `${topic}|${stage}|${reason}`;
