/** Lag and who holds it back, over a log that is written by hand. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import {
  BatchBuilder,
  buildTopology,
  encodeHint,
  HINTS_TOPIC,
  type KafkaClient,
  keyBy,
  originTopic,
  stage,
  topic,
  type TopicPartition,
  count,
  tumbling,
  windowedBy,
} from '#topology';
import { FakeKafka } from '#topology/testing';
import { Clocks } from '../../../dev/inspect/clocks.ts';
import { lagJson, lagLines, sinkLags, stageLags, type TaskLag } from '../../../dev/inspect/lag.ts';
import { paintFor } from '../../../dev/inspect/text-table.ts';
import { encodePromise } from '../../../topology/time/ledger-records.ts';

const definition = { type: 'record', name: 'V', fields: [{ name: 'who', type: 'string' }] };
const schema = { name: 'v', definition } as { name: string; definition: unknown; type?: { who: string } };
const events = originTopic('bronze.events', { value: schema, partitions: 2, outOfOrderness: '10s' });
const clean = topic('silver.clean', { value: schema, partitions: 2 });
const topology = buildTopology(
  [
    stage('silver.clean', (s) => {
      s.stream(events).to(clean);
    }),
    stage('gold.counts', (s) => {
      s.stream(clean).pipe(
        keyBy((r) => r.value.who),
        windowedBy(tumbling({ size: '1h', grace: '5m' })),
        count({ store: 'counts', emit: 'final' }),
      );
    }),
  ],
  { app: 'app' },
);
const REPARTITION = 'app-counts-repartition';
const NOW = Date.now();

describe('lag', () => {
  let client: KafkaClient;

  async function write(tp: TopicPartition, records: readonly { key?: Uint8Array; value: Uint8Array }[]): Promise<void> {
    const producer = await client.producer();
    const batch = new BatchBuilder();
    for (const { key = null, value } of records) batch.append(key, value, 1_000);
    await producer.send([{ ...tp, batch }]);
    await producer.close();
  }

  async function commit(offsets: readonly (TopicPartition & { offset: bigint; w?: number })[]): Promise<void> {
    const producer = await client.producer({ transactionalId: 'app-0' });
    await producer.fence();
    await producer.begin();
    await producer.sendOffsets(
      'app',
      offsets.map(({ w, ...each }) => ({ ...each, metadata: w === undefined ? '' : JSON.stringify({ w }) })),
    );
    await producer.commit();
    await producer.close();
  }

  const hint = (partition: number, m: number, at: number, endOffset = 0n): Promise<void> =>
    write({ topic: HINTS_TOPIC, partition: 0 }, [
      encodeHint({ writer: 'collector', topic: events.name, partition, m, endOffset, at }),
    ]);

  const promise = (writer: string, to: string, m: number): Promise<void> =>
    write({ topic: 'app.watermarks', partition: 0 }, [encodePromise({ writer, topic: to, m, ends: [0n, 0n] })]);

  async function lags(): Promise<TaskLag[]> {
    const clocks = await Clocks.read(client, await client.admin(), topology, Date.now() + 5_000);
    assert.equal(clocks.complete, true);
    return stageLags(clocks);
  }
  const of = (tasks: readonly TaskLag[], name: string, partition: number): TaskLag =>
    tasks.find((task) => task.stage === name && task.partition === partition) ?? assert.fail(`${name}/${partition}`);

  beforeEach(async () => {
    client = new FakeKafka().client();
    const admin = await client.admin();
    const names = [events.name, clean.name, REPARTITION];
    const one = [HINTS_TOPIC, 'app.watermarks'].map((name) => ({ name, partitions: 1 }));
    await admin.ensureTopics([...names.map((name) => ({ name, partitions: 2 })), ...one]);
  });

  test('nothing has run: no watermark, and nobody tells the time', async () => {
    const task = of(await lags(), 'silver.clean', 0);
    assert.deepEqual([task.behind, task.watermark, task.lagMs], [0, -Infinity, undefined]);
    assert.deepEqual([task.heldBack?.writer, task.heldBack?.reason], [null, 'no writer has told the time']);
  });

  test('a silent writer of one origin partition holds gold back, through the tasks between', async () => {
    await hint(0, 90_000, NOW);
    await hint(1, 20_000, NOW - 60_000);
    await commit([
      { topic: events.name, partition: 0, offset: 0n, w: 90_000 },
      { topic: events.name, partition: 1, offset: 0n, w: 20_000 },
    ]);
    for (const [writer, m] of [
      ['silver.clean/0', 90_000],
      ['silver.clean/1', 20_000],
    ] as const) {
      await promise(writer, clean.name, m);
      await promise(writer.replace('silver.clean', 'gold.counts'), REPARTITION, 20_000);
    }
    const tasks = await lags();
    assert.deepEqual([of(tasks, 'silver.clean', 0).lagMs, of(tasks, 'silver.clean', 1).lagMs], [0, 70_000]);
    const gold = of(tasks, 'gold.counts', 0);
    assert.deepEqual([gold.watermark, gold.lagMs], [20_000, 70_000]);
    assert.deepEqual(gold.heldBack, {
      writer: 'collector',
      topic: events.name,
      partition: 1,
      reason: 'silent for 60 s',
      chain: gold.heldBack?.chain,
    });
    assert.equal(gold.heldBack?.chain.at(-1), 'silver.clean/1');
  });

  test('records that are not read yet, and a task whose own operators wait', async () => {
    await write(
      { topic: events.name, partition: 0 },
      Array.from({ length: 7 }, () => ({ value: Buffer.from('x') })),
    );
    await hint(0, 90_000, NOW, 7n);
    await hint(1, 90_000, NOW);
    await commit([
      { topic: events.name, partition: 0, offset: 2n, w: 30_000 },
      { topic: events.name, partition: 1, offset: 0n, w: 90_000 },
    ]);
    await promise('silver.clean/0', clean.name, 30_000);
    await promise('silver.clean/1', clean.name, 90_000);
    await promise('gold.counts/0', REPARTITION, 1_000);
    await promise('gold.counts/1', REPARTITION, 30_000);
    const tasks = await lags();
    const silver = of(tasks, 'silver.clean', 0);
    assert.deepEqual([silver.behind, silver.heldBack?.reason], [5, '5 offsets not read yet']);
    assert.deepEqual(
      [of(tasks, 'gold.counts', 1).heldBack?.writer, of(tasks, 'gold.counts', 1).heldBack?.reason],
      ['gold.counts/0', 'its operators wait: 29 s behind its input'],
    );
    const lines = lagLines(tasks, [], false, paintFor({}, {}));
    assert.equal(lines.length, 3);
    assert.match(
      lines[1] ?? '',
      /^silver\.clean +5 +1 m 00 s  1970-01-01 00:00:30\.000  collector at bronze\.events-0/,
    );
    const { stages } = lagJson(tasks, []) as { stages: { behind: number; watermark: string | null }[] };
    assert.deepEqual([stages[0]?.behind, stages[0]?.watermark], [5, '1970-01-01T00:00:30.000Z']);
  });

  test('sinks: the position is the one of the target; a target that is away is said', async () => {
    await write(
      { topic: clean.name, partition: 1 },
      Array.from({ length: 4 }, () => ({ value: Buffer.from('x') })),
    );
    const topics = [{ name: clean.name, partitions: 2 }];
    const { sinks, problems } = await sinkLags(await client.admin(), [
      { name: 'held', topics, positions: () => Promise.resolve(new Map([[`${clean.name}/1`, 3n]])) },
      { name: 'away', topics, positions: () => Promise.reject(new Error('refused')) },
    ]);
    assert.deepEqual(
      sinks.map(({ partition, position, end, behind }) => [partition, position, end, behind]),
      [
        [0, null, 0n, 0],
        [1, 3n, 4n, 1],
      ],
    );
    assert.deepEqual(problems, [{ sink: 'away', reason: 'refused' }]);
  });
});
