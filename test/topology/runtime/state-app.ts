/** An application with state on disk over a broker in memory, whose process may die in the middle of a commit. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  BatchBuilder,
  buildTopology,
  count,
  encodeHint,
  HINTS_TOPIC,
  keyBy,
  type KafkaClient,
  type KafkaProducer,
  type Logger,
  mapValues,
  originTopic,
  partitionFor,
  RecordCursor,
  RetriableError,
  type Schema,
  stage,
  startStreamApp,
  type StreamApp,
  topic,
  tumbling,
  windowedBy,
} from '#topology';
import { FakeKafka } from '#topology/testing';
import { StateDisk } from '../../../topology/state/state-disk.ts';
import { scratch } from '../state/store-labs.ts';
import { jsonSerdes } from './app-child.ts';

const START = Date.UTC(2026, 0, 5, 10);
const DEADLINE_MS = 60_000;
export const SLOTS = [0, 1];
const USERS = 23;

const schema = <T>(name: string): Schema<T> => ({ name, definition: { type: 'record', name, fields: [] } });
const clicks = originTopic<{ user: string }>('c.clicks', {
  value: schema('Click'),
  partitions: 2,
  outOfOrderness: '5s',
  maxAhead: '1000h',
});
const minutes = topic<{ clicks: number }>('c.minutes', { value: schema('Minute'), partitions: 2 });
const totals = topic<{ clicks: number }>('c.totals', { value: schema('Total'), partitions: 2 });

function topologyOf() {
  const perMinute = stage('minutes', (s) => {
    s.stream(clicks)
      .pipe(
        keyBy((r) => r.value.user),
        windowedBy(tumbling({ size: '1m', grace: '10s' })),
        count({ store: 'minutes' }),
        mapValues((n) => ({ clicks: n })),
        keyBy((r) => `${r.key.start}|${r.key.key}`),
      )
      .to(minutes);
  });
  const perUser = stage('totals', (s) => {
    s.stream(clicks)
      .pipe(
        keyBy((r) => r.value.user),
        count({ store: 'totals' }),
      )
      .mapValues((n) => ({ clicks: n }))
      .toStream()
      .to(totals);
  });
  return buildTopology([perMinute, perUser], { app: 'c' });
}

export type Operation = 'begin' | 'send' | 'sendOffsets' | 'commit';
export interface Point {
  readonly operation: Operation;
  readonly when: 'before' | 'after';
}
export const POINTS: readonly Point[] = (['begin', 'send', 'sendOffsets', 'commit'] as const).flatMap((operation) =>
  (['before', 'after'] as const).map((when) => ({ operation, when })),
);

/** A client whose process dies when `isDead` says so: nothing that it asks is answered any more. */
export class Mortal {
  isDead = false;
  onOperation: (point: Point) => void = () => undefined;
  readonly client: KafkaClient;

  constructor(client: KafkaClient) {
    this.client = {
      admin: () => client.admin(),
      reader: (options) => client.reader(options),
      join: (options) => client.join(options),
      close: () => client.close(),
      producer: async (options = {}) => {
        const producer = await client.producer(options);
        return /^c-\d+$/.test(options.transactionalId ?? '') ? this.#mortal(producer) : producer;
      },
    };
  }

  #mortal(real: KafkaProducer): KafkaProducer {
    const act = async <T>(operation: Operation, work: () => Promise<T>): Promise<T> => {
      this.#live({ operation, when: 'before' });
      const result = await work();
      this.#live({ operation, when: 'after' });
      return result;
    };
    return {
      fence: () => real.fence(),
      begin: () => act('begin', () => real.begin()),
      send: (batches) => act('send', () => real.send(batches)),
      sendOffsets: (group, offsets) => act('sendOffsets', () => real.sendOffsets(group, offsets)),
      commit: () => act('commit', () => real.commit()),
      abort: () => real.abort(),
      close: () => real.close(),
    };
  }

  #live(point: Point): void {
    if (!this.isDead) this.onOperation(point);
    if (this.isDead) throw new RetriableError('SLC_BROKER_TEST', 'dead');
  }
}

export class Machine {
  readonly root = scratch();
  readonly broker = new FakeKafka();
  readonly topology = topologyOf();
  readonly fatal: Error[] = [];
  readonly said: string[] = [];
  directory = join(this.root, '0');
  /** ms; Infinity: only at a close. */
  checkpointMs = 0;
  #sent = 0;
  #copies = 0;
  readonly #apps: StreamApp[] = [];

  async open(t: TestContext): Promise<void> {
    t.after(async () => {
      await Promise.all(this.#apps.map((app) => app.stop()));
      rmSync(this.root, { recursive: true, force: true });
    });
    const admin = await this.broker.client().admin();
    await admin.ensureTopics([
      { name: clicks.name, partitions: 2 },
      { name: HINTS_TOPIC, partitions: 1 },
    ]);
  }

  async start(client: KafkaClient = this.broker.client(), directory = this.directory): Promise<StreamApp> {
    const keep = (_: unknown, text?: string): void => void this.said.push(text ?? '');
    const logger: Logger = { debug: () => undefined, info: keep, warn: keep, error: keep };
    const app = await startStreamApp({
      client,
      topology: this.topology,
      serdes: jsonSerdes,
      logger,
      state: { directory, budgetBytes: 5 * 2 ** 20, checkpointMs: this.checkpointMs },
      onFatal: (error) => this.fatal.push(error),
    });
    this.#apps.push(app);
    return app;
  }

  async send(records: number): Promise<void> {
    const producer = await this.broker.client().producer();
    for (let i = 0; i < records; i++, this.#sent++) {
      const key = Buffer.from(`c${this.#sent}`);
      const batch = new BatchBuilder();
      const user = `u${this.#sent % USERS}`;
      batch.append(key, Buffer.from(JSON.stringify({ user })), START + this.#sent * 500);
      await producer.send([{ topic: clicks.name, partition: partitionFor(key, 2), batch }]);
    }
  }

  async sayComplete(): Promise<void> {
    const producer = await this.broker.client().producer();
    const batch = new BatchBuilder();
    for (const partition of SLOTS) {
      const endOffset = this.broker.partition({ topic: clicks.name, partition }).end(true);
      const m = START + 1_000 * 3_600_000;
      const { key, value } = encodeHint({ writer: 'test', topic: clicks.name, partition, m, endOffset, at: 0 });
      batch.append(key, value, 0);
    }
    await producer.send([{ topic: HINTS_TOPIC, partition: 0, batch }]);
  }

  /** The disk as the kernel has it now. */
  copy(): string {
    const to = join(this.root, String(++this.#copies));
    if (existsSync(this.directory)) cpSync(this.directory, to, { recursive: true });
    return to;
  }

  /** Committed records of a partition before `end`, the last per key; null = deleted. */
  last(topicName: string, partition: number, end: bigint): Map<string, string | null> {
    const tp = { topic: topicName, partition };
    const cursor = new RecordCursor();
    const found = new Map<string, string | null>();
    for (let offset = 0n; ;) {
      const fetched = this.broker.partition(tp).fetch(tp, offset, true, 2 ** 20);
      for (const batch of fetched?.batches ?? []) {
        cursor.open(batch);
        while (cursor.next()) {
          if (BigInt(cursor.offset) >= end) return found;
          found.set(String(cursor.keyBytes()?.toString('latin1')), cursor.valueBytes()?.toString() ?? null);
        }
      }
      if (fetched === undefined || fetched.nextOffset >= fetched.endOffset) return found;
      offset = fetched.nextOffset;
    }
  }

  /** Each copy of a store against its changelog. Returns how many stores had a checkpoint. */
  checkDisk(directory: string): number {
    let checked = 0;
    for (const partition of SLOTS) {
      const from = join(directory, 'c', String(partition));
      if (!existsSync(from)) continue;
      const scratchCopy = join(this.root, 'look');
      rmSync(scratchCopy, { recursive: true, force: true });
      cpSync(from, scratchCopy, { recursive: true });
      const identity = { app: 'c', epoch: this.topology.epoch, partition };
      const disk = StateDisk.open(scratchCopy, identity, (reason) => assert.fail(reason));
      for (const { store, topic: changelog } of this.topology.changelogs) {
        const checkpoint = disk.checkpoint(store);
        if (checkpoint === undefined) continue;
        const expected = [...this.last(changelog, partition, checkpoint.offset)].filter(([, value]) => value !== null);
        const found = [...disk.table(store).entries()].map(({ key, value }) => [
          key.toString('latin1'),
          value.toString(),
        ]);
        assert.deepEqual(new Map(found as [string, string][]), new Map(expected as [string, string][]), store);
        checked++;
      }
      disk.close(false);
    }
    return checked;
  }

  async finish(app: StreamApp): Promise<void> {
    await this.sayComplete();
    await until(
      'all windows are out',
      () =>
        app.stats().stages.find(({ name }) => name === 'minutes')?.stateEntries === 0 &&
        this.#results().windows >= this.#expected().windows,
    );
    await until('all totals are out', () => this.#results().totals === this.#expected().totals);
    assert.deepEqual(this.#results(), this.#expected());
    assert.deepEqual(this.fatal, []);
  }

  #results(): { windows: number; clicks: string; totals: string } {
    const windows = SLOTS.flatMap((p) => [...this.last(minutes.name, p, 1n << 60n)]);
    const all = SLOTS.flatMap((p) => [...this.last(totals.name, p, 1n << 60n)]);
    const text = (rows: [string, string | null][]): string =>
      rows
        .map(([key, value]) => `${key}=${(JSON.parse(value ?? '{}') as { clicks?: number }).clicks}`)
        .sort()
        .join();
    return { windows: windows.length, clicks: text(windows), totals: text(all) };
  }

  #expected(): { windows: number; clicks: string; totals: string } {
    const windows = new Map<string, number>();
    const all = new Map<string, number>();
    for (let n = 0; n < this.#sent; n++) {
      const start = START + Math.floor((n * 500) / 60_000) * 60_000;
      const user = `u${n % USERS}`;
      windows.set(`${start}|${user}`, (windows.get(`${start}|${user}`) ?? 0) + 1);
      all.set(user, (all.get(user) ?? 0) + 1);
    }
    const text = (rows: Map<string, number>): string =>
      [...rows]
        .map(([key, n]) => `${key}=${n}`)
        .sort()
        .join();
    return { windows: windows.size, clicks: text(windows), totals: text(all) };
  }
}

/** Rows in the stores of both stages, in all slots. */
export function hasState(app: StreamApp): boolean {
  return app.stats().ready && app.stats().stages.every(({ stateEntries }) => stateEntries >= USERS - 3);
}

export async function until(what: string, condition: () => boolean): Promise<void> {
  const end = Date.now() + DEADLINE_MS;
  while (!condition()) {
    assert.ok(Date.now() < end, `not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
