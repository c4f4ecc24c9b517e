/** Counts per minute over a topic of three partitions, one of which comes slowly: what skew is tested with. */
import { pino } from 'pino';
import {
  BatchBuilder,
  buildTopology,
  count,
  type FetchedRecords,
  HINTS_TOPIC,
  keyBy,
  type KafkaClient,
  type KafkaReader,
  stage,
  startStreamApp,
  type StreamApp,
  tumbling,
  windowedBy,
} from '#topology';
import { FakeKafka, VirtualClock } from '#topology/testing';
import { derived, jsonSerdes, MINUTE, origin } from '../dsl/support.ts';
import { readJson } from './read-json.ts';

const PARTITIONS = 3;
const LONGEST_MS = 60_000;
const clicks = origin<string>('clicks', PARTITIONS, {}, '0s');
const perMinute = derived<number>('per-minute', 1);
const counts = stage('counts', (s) => {
  s.stream(clicks)
    .pipe(
      keyBy(() => 'all'),
      windowedBy(tumbling({ size: '1m', grace: '0s' })),
      count({ store: 'counts' }),
      keyBy((r) => `${r.key.start / MINUTE}`),
    )
    .to(perMinute);
});

/** One batch of a partition per poll. */
class SlowReader implements KafkaReader {
  readonly #inner: KafkaReader;
  readonly #slow: number;
  readonly #onPoll: () => void;
  #waiting: FetchedRecords[] = [];

  constructor(inner: KafkaReader, slow: number, onPoll: () => void) {
    this.#inner = inner;
    this.#slow = slow;
    this.#onPoll = onPoll;
  }

  seek(...args: Parameters<KafkaReader['seek']>): void {
    this.#forget(args[0].topic, args[0].partition);
    this.#inner.seek(...args);
  }

  remove(...args: Parameters<KafkaReader['remove']>): void {
    this.#forget(args[0].topic, args[0].partition);
    this.#inner.remove(...args);
  }

  pause(...args: Parameters<KafkaReader['pause']>): void {
    this.#inner.pause(...args);
  }

  resume(...args: Parameters<KafkaReader['resume']>): void {
    this.#inner.resume(...args);
  }

  async poll(maxWaitMs: number): Promise<FetchedRecords[]> {
    const fetched = await this.#inner.poll(Math.min(maxWaitMs, 5));
    this.#onPoll();
    const isSlow = (each: FetchedRecords): boolean => each.topic === clicks.name && each.partition === this.#slow;
    for (const each of fetched.filter(isSlow)) this.#waiting.push(...pieces(each));
    return [...fetched.filter((each) => !isSlow(each)), ...this.#waiting.splice(0, 1)];
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #forget(topic: string, partition: number): void {
    this.#waiting = this.#waiting.filter((each) => each.topic !== topic || each.partition !== partition);
  }
}

function pieces(fetched: FetchedRecords): FetchedRecords[] {
  if (fetched.batches.length === 0) return [fetched];
  return fetched.batches.map((batch, i) => {
    const nextOffset = i === fetched.batches.length - 1 ? fetched.nextOffset : batch.lastOffset + 1n;
    return { ...fetched, batches: [batch], nextOffset, bytes: Math.ceil(fetched.bytes / fetched.batches.length) };
  });
}

/** The application in one or more processes, over a broker in memory and virtual time. */
export class SkewApp {
  readonly clock = new VirtualClock();
  readonly fatal: Error[] = [];
  readonly apps: StreamApp[] = [];
  /** Most entries that the windows of all processes had at once. */
  peak = 0;
  /** How often a partition waited when somebody polled. */
  waited = 0;
  readonly #broker = new FakeKafka({ clock: this.clock });

  async open(): Promise<void> {
    const admin = await this.#broker.client().admin();
    await admin.ensureTopics([
      { name: clicks.name, partitions: PARTITIONS },
      { name: HINTS_TOPIC, partitions: 1 },
    ]);
  }

  /** Records every half minute of event time, ten in a batch; `from` and `to` in minutes. */
  async feed(partition: number, from: number, to: number): Promise<void> {
    const producer = await this.#broker.client().producer();
    for (let minute = from; minute < to; minute += 5) {
      const batch = new BatchBuilder();
      for (let n = 0; n < 10; n++) batch.append(Buffer.from('k'), Buffer.from('"x"'), (minute + n / 2) * MINUTE);
      await producer.send([{ topic: clicks.name, partition, batch }]);
    }
  }

  /** `slow`: that partition comes one batch at a time. */
  async start(maxSkewMs: number, slow = -1): Promise<StreamApp> {
    const inner = this.#broker.client();
    const client: KafkaClient = {
      ...inner,
      reader: async (options) => new SlowReader(await inner.reader(options), slow, () => this.#look()),
    };
    const app = await this.clock.until(
      startStreamApp({
        client,
        topology: buildTopology([counts], { app: 'skew' }),
        serdes: jsonSerdes,
        logger: pino({ level: 'silent' }),
        clock: this.clock,
        options: { maxSkewMs, tickMs: 1, commitIntervalMs: 5, minCommitIntervalMs: 1 },
        onFatal: (error) => this.fatal.push(error),
      }),
      LONGEST_MS,
    );
    this.apps.push(app);
    return app;
  }

  /** Rejects when it does not come to that in a minute of virtual time. */
  async until(condition: () => boolean): Promise<void> {
    const holds = async (): Promise<void> => {
      while (!condition()) {
        const [error] = this.fatal;
        if (error !== undefined) throw error;
        await this.clock.sleep(5);
      }
    };
    await this.clock.until(holds(), LONGEST_MS);
  }

  /** True when every partition of the topic is read to its end. */
  isRead(): boolean {
    const inputs = this.apps.flatMap((app) => app.inputs()).filter(({ topic }) => topic === clicks.name);
    const end = (partition: number): bigint => this.#broker.partition({ topic: clicks.name, partition }).end(true);
    return inputs.length === PARTITIONS && inputs.every(({ partition, position }) => position >= end(partition));
  }

  rows(): string[] {
    return readJson(this.#broker, perMinute.name)
      .map(({ key, value }) => `${key}=${String(value)}`)
      .toSorted();
  }

  async close(): Promise<void> {
    for (const app of this.apps) await this.clock.until(app.stop(), LONGEST_MS);
  }

  #look(): void {
    const all = this.apps.map((app) => app.stats());
    const entries = all.flatMap(({ stages }) => stages).reduce((sum, { stateEntries }) => sum + stateEntries, 0);
    this.peak = Math.max(this.peak, entries);
    if (all.some(({ waits }) => waits.length > 0)) this.waited++;
  }
}

/**
 * Two partitions have nothing to read, one of them ever, the other one any more; the third has hours: true when it is read all the same. Nobody gives hints.
 */
export async function readsBesideIdle(): Promise<boolean> {
  const app = new SkewApp();
  await app.open();
  await app.feed(1, 0, 5);
  await app.start(10 * MINUTE);
  await app.feed(0, 0, 300);
  try {
    await app.until(() => app.isRead());
    return true;
  } catch {
    return false;
  }
}

if (process.argv[1] === import.meta.filename) {
  process.stdout.write(JSON.stringify(await readsBesideIdle()));
  process.exit(0);
}
