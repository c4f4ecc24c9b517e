/** Tables in a running application: processes come and go over a broker in memory, and the rows end as their definition says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import {
  BatchBuilder,
  buildTopology,
  globalJoin,
  HINTS_TOPIC,
  mapAsync,
  RecordCursor,
  stage,
  startStreamApp,
  type StreamApp,
} from '#topology';
import { FakeKafka } from '#topology/testing';
import { derived, jsonSerdes } from '../dsl/support.ts';
import {
  changesOf,
  expected,
  type Item,
  items,
  moves,
  type Order,
  orders,
  outputs,
  PARTITIONS,
  stages,
} from './random-tables.ts';

const SEED = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));
const DEADLINE_MS = 30_000;
const asked = derived<number>('asked', PARTITIONS);
const placed = derived<string>('placed', PARTITIONS);

const asking = stage('asked', (s) => {
  const limits = { concurrency: 4, timeout: '5s', retries: 0 } as const;
  s.stream(moves)
    .pipe(mapAsync(async (move) => move.n * 10, limits))
    .to(asked);
});
const placing = stage('placed', (s) => {
  const table = s.globalTable(items, { store: 'everywhere' });
  const name = (move: Order, item: Item | null): string => `${move.n} ${typeof item?.name}`;
  s.stream(moves)
    .pipe(globalJoin(table, (r) => r.value.item, name, { join: 'left' }))
    .to(placed);
});

class Reading {
  readonly rows = new Map<string, Map<string, unknown>>();
  readonly #reader: Awaited<ReturnType<ReturnType<FakeKafka['client']>['reader']>>;

  constructor(reader: Awaited<ReturnType<ReturnType<FakeKafka['client']>['reader']>>) {
    this.#reader = reader;
    for (const { name } of [...Object.values(outputs), asked, placed]) {
      this.rows.set(name, new Map());
      for (let partition = 0; partition < PARTITIONS; partition++) reader.seek({ topic: name, partition }, 0n);
    }
  }

  async poll(): Promise<void> {
    const cursor = new RecordCursor();
    for (const { topic, batches } of await this.#reader.poll(20)) {
      for (const batch of batches) {
        cursor.open(batch);
        while (cursor.next()) {
          const key = String(cursor.keyBytes());
          const value = cursor.valueBytes();
          if (value === null) this.rows.get(topic)?.delete(key);
          else this.rows.get(topic)?.set(key, JSON.parse(String(value)));
        }
      }
    }
  }
}

const text = (rows: ReadonlyMap<unknown, unknown> | undefined): string[] =>
  [...(rows ?? [])].map(([key, value]) => `${String(key)} ${JSON.stringify(value)}`).sort();

test('two processes, one that leaves and one that comes, give the rows of the definition', async (t) => {
  t.diagnostic(`SLUICE_SEED=${SEED}`);
  const broker = new FakeKafka();
  const client = broker.client();
  const admin = await client.admin();
  await admin.ensureTopics([
    ...[orders, items, moves].map(({ name }) => ({ name, partitions: PARTITIONS })),
    { name: HINTS_TOPIC, partitions: 1 },
  ]);
  const topology = buildTopology([...stages, asking, placing], { app: 'tables' });
  const fatal: Error[] = [];
  const start = (): Promise<StreamApp> =>
    startStreamApp({
      client: broker.client(),
      topology,
      serdes: jsonSerdes,
      logger: pino({ level: 'silent' }),
      options: { trimIntervalMs: 20 },
      onFatal: (error) => void fatal.push(error),
    });
  const producer = await client.producer();
  const changes = changesOf(SEED, 240);
  const send = async (from: number, to: number): Promise<void> => {
    for (const { topic, partition, key, value, timestamp } of changes.slice(from, to)) {
      const batch = new BatchBuilder();
      batch.append(Buffer.from(key), value === null ? null : Buffer.from(JSON.stringify(value)), timestamp);
      await producer.send([{ topic, partition, batch }]);
    }
  };
  const apps = [await start(), await start()];
  try {
    const reading = new Reading(await client.reader({ committed: true, maxBytesPerPartition: 2 ** 20 }));
    await send(0, 80);
    for (let polls = 0; polls < 5; polls++) await reading.poll();
    await apps.shift()?.stop();
    await send(80, 160);
    apps.push(await start());
    await send(160, changes.length);
    const wanted = expected(changes);
    const names = Object.keys(outputs) as (keyof typeof outputs)[];
    const mine = changes.filter(({ topic }) => topic === 'moves');
    const differing = (): string[] => [
      ...names.filter((name) => text(reading.rows.get(outputs[name].name)).join() !== text(wanted[name]).join()),
      ...[asked, placed].filter(({ name }) => reading.rows.get(name)?.size !== mine.length).map(({ name }) => name),
    ];
    for (const end = Date.now() + DEADLINE_MS; differing().length > 0 && Date.now() < end;) await reading.poll();
    assert.deepEqual(fatal, []);
    assert.deepEqual(differing(), [], `SLUICE_SEED=${SEED}`);
    const counts = apps
      .flatMap((app) => [...app.table('counts').entries()])
      .map(([key, row]) => [key, row.value] as const);
    assert.deepEqual(text(new Map(counts)), text(wanted.counts), 'asked of the processes');
  } finally {
    await Promise.all(apps.map((app) => app.stop()));
  }
});
