/** How many records per second a topic gets: by its offsets, without the transaction markers among them. */
import type { KafkaAdmin, KafkaClient, TopicPartition } from '#topology';
import { type Range, rangesOf } from '../verify/read-topics.ts';
import { scan } from './scan.ts';

/** What a topic got since the last reading. */
export interface TopicRate {
  /** null at the first reading. */
  readonly perSecond: number | null;
  /** Of its newest offsets, how many are records: 0 to 1. All of them are counted when few came, else a sample. */
  readonly share: number;
  /** The largest event time seen, ms; null before any. */
  readonly newest: number | null;
}

/** Of a partition no more is read than this to tell records from markers: at a high rate a sample is enough. */
const SAMPLE = 100n;
const SAMPLE_BYTES = 32 * 1024;

interface Known {
  share: number;
  newest: number;
}

/** Reads again and again; a rate is that between two readings. Not for concurrent use. */
export class RecordRates {
  readonly #ends = new Map<string, bigint>();
  readonly #known = new Map<string, Known>();
  #at: number | undefined;

  /** By topic; those that do not exist are left out. `deadline`: wall clock, ms. */
  async read(
    client: KafkaClient,
    admin: KafkaAdmin,
    topics: readonly string[],
    deadline: number,
  ): Promise<Map<string, TopicRate>> {
    const ranges = await rangesOf(admin, topics);
    const at = performance.now();
    const seconds = this.#at === undefined ? undefined : (at - this.#at) / 1_000;
    await this.#sample(client, ranges, deadline);
    const rates = new Map<string, TopicRate>();
    for (const [topic, own] of Map.groupBy(ranges, (range) => range.topic)) {
      const { share, newest } = this.#known.get(topic) ?? NOTHING;
      const came = own.reduce((sum, range) => sum + this.#cameIn(range), 0);
      rates.set(topic, {
        perSecond: seconds === undefined ? null : (came * share) / seconds,
        share,
        newest: Number.isFinite(newest) ? newest : null,
      });
    }
    this.#at = at;
    for (const range of ranges) this.#ends.set(idOf(range), range.end);
    return rates;
  }

  /** Offsets since the last reading. A topic that was deleted and made anew begins anew. */
  #cameIn(range: Range): number {
    const last = this.#ends.get(idOf(range)) ?? range.end;
    return last <= range.end ? Number(range.end - last) : 0;
  }

  async #sample(client: KafkaClient, ranges: readonly Range[], deadline: number): Promise<void> {
    const wanted = ranges.flatMap((range) => {
      const last = this.#ends.get(idOf(range)) ?? 0n;
      const start = most(range.start, range.end - SAMPLE, last <= range.end ? last : 0n);
      return start < range.end ? [{ ...range, start }] : [];
    });
    const seen = new Map<string, { records: number; newest: number }>();
    const complete = await scan({
      client,
      ranges: wanted,
      deadline,
      bytesPerPartition: SAMPLE_BYTES,
      take({ topic }, { timestamp }) {
        let one = seen.get(topic);
        if (one === undefined) seen.set(topic, (one = { records: 0, newest: -Infinity }));
        one.records++;
        one.newest = Math.max(one.newest, timestamp);
        return undefined;
      },
    });
    for (const [topic, own] of Map.groupBy(wanted, (range) => range.topic)) {
      const { records, newest } = seen.get(topic) ?? { records: 0, newest: -Infinity };
      const known = this.#known.get(topic) ?? NOTHING;
      const offsets = own.reduce((sum, { start, end }) => sum + Number(end - start), 0);
      // What was not read to its end says nothing about the share.
      const share = complete ? records / offsets : known.share;
      this.#known.set(topic, { share, newest: Math.max(newest, known.newest) });
    }
  }
}

const NOTHING: Known = { share: 1, newest: -Infinity };
const most = (...values: readonly bigint[]): bigint => values.reduce((a, b) => (a > b ? a : b));
const idOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;
