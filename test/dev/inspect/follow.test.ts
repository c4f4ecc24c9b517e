/** What is read again and again: rates, what was put aside, and clocks. Over a log that is written by hand. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import {
  BatchBuilder,
  buildTopology,
  encodeHint,
  HINTS_TOPIC,
  type KafkaAdmin,
  type KafkaClient,
  originTopic,
  stage,
  topic,
} from '#topology';
import { FakeKafka } from '#topology/testing';
import { ClockFollower, Clocks } from '../../../dev/inspect/clocks.ts';
import { PutAsideCounter } from '../../../dev/inspect/put-aside.ts';
import { RecordRates } from '../../../dev/inspect/record-rates.ts';
import { encodePromise } from '../../../topology/time/ledger-records.ts';

const definition = { type: 'record', name: 'V', fields: [{ name: 'who', type: 'string' }] };
const schema = { name: 'v', definition } as { name: string; definition: unknown; type?: { who: string } };
const events = originTopic('bronze.events', { value: schema, partitions: 1, outOfOrderness: '10s' });
const clean = topic('silver.clean', { value: schema, partitions: 1 });
const topology = buildTopology(
  [
    stage('silver.clean', (s) => {
      s.stream(events).to(clean);
    }),
    stage('silver.again', (s) => {
      s.stream(clean).to(topic('silver.again', { value: schema, partitions: 1 }));
    }),
  ],
  { app: 'app' },
);
const soon = (): number => Date.now() + 10_000;

describe('reading on', () => {
  let client: KafkaClient;
  let admin: KafkaAdmin;

  async function write(
    name: string,
    records: readonly { key?: Uint8Array; value: Uint8Array; time?: number; headers?: Record<string, string> }[],
    transactionalId?: string,
  ): Promise<void> {
    const producer = await client.producer(transactionalId === undefined ? {} : { transactionalId });
    const batch = new BatchBuilder();
    for (const { key = null, value, time = 1_000, headers = {} } of records) {
      const list = Object.entries(headers).map(([each, text]) => [each, Buffer.from(text)] as const);
      batch.append(key, value, time, list);
    }
    if (transactionalId !== undefined) {
      await producer.fence();
      await producer.begin();
    }
    await producer.send([{ topic: name, partition: 0, batch }]);
    if (transactionalId !== undefined) await producer.commit();
    await producer.close();
  }
  const some = (count: number): { value: Uint8Array }[] =>
    Array.from({ length: count }, () => ({ value: Buffer.from('x') }));

  beforeEach(async () => {
    client = new FakeKafka().client();
    admin = await client.admin();
    const names = [
      'bronze.events',
      'silver.clean',
      'silver.again',
      'gold.a.late',
      'gold.a.dlq',
      'app.watermarks',
      HINTS_TOPIC,
    ];
    await admin.ensureTopics(names.map((name) => ({ name, partitions: 1 })));
  });

  test('a rate is of records: transaction markers do not count', async () => {
    const rates = new RecordRates();
    await write('silver.clean', some(3), 't');
    const first = await rates.read(client, admin, ['silver.clean', 'no.such'], soon());
    assert.deepEqual([...first.keys()], ['silver.clean']);
    assert.equal(first.get('silver.clean')?.perSecond, null);
    const begun = performance.now();
    for (let i = 0; i < 5; i++) await write('silver.clean', some(1), 't');
    const seconds = (performance.now() - begun) / 1_000;
    const rate = (await rates.read(client, admin, ['silver.clean'], soon())).get('silver.clean');
    const { start, end } =
      (await admin.offsets([{ topic: 'silver.clean', partition: 0 }], { committed: true }))[0] ?? assert.fail();
    assert.ok(Number(end - start) > 8, 'there are markers');
    assert.ok(rate !== undefined && rate.perSecond !== null);
    // Between the readings lies at least the writing.
    assert.ok(rate.perSecond > 0 && rate.perSecond <= 5 / seconds, `${rate.perSecond} in ${seconds} s`);
    assert.equal(rate.share, 0.5);
    assert.equal(rate.newest, 1_000);
    const still = (await rates.read(client, admin, ['silver.clean'], soon())).get('silver.clean');
    assert.equal(still?.perSecond, 0);
  });

  test('a topic that was deleted and made anew has no rate below zero', async () => {
    const rates = new RecordRates();
    await write('silver.clean', some(50));
    await rates.read(client, admin, ['silver.clean'], soon());
    await admin.deleteTopics(['silver.clean']);
    await admin.ensureTopics([{ name: 'silver.clean', partitions: 1 }]);
    await write('silver.clean', some(2));
    assert.equal((await rates.read(client, admin, ['silver.clean'], soon())).get('silver.clean')?.perSecond, 0);
  });

  test('late records and dead letters are counted once, whatever stands in them', async () => {
    const counter = new PutAsideCounter();
    const read = async (): Promise<(readonly [string, string, string, number])[]> => {
      const { counts, complete } = await counter.read(client, admin, ['gold.a.late', 'gold.a.dlq'], soon());
      assert.equal(complete, true);
      return counts
        .map(({ kind, stage: of, reason, count }) => [kind, of, reason, count] as const)
        .toSorted((a, b) => (a.join() < b.join() ? -1 : 1));
    };
    const late = { stage: 'gold.a', reason: 'window closed', latenessMs: 5_000, key: 'k' };
    await write('gold.a.late', [{ value: Buffer.from(JSON.stringify(late)) }, { value: Buffer.from('no json') }]);
    await write('gold.a.dlq', [
      { value: Buffer.from('x'), headers: { stage: 'gold.a', code: 'SLC_X', reason: 'why' } },
    ]);
    const first = await read();
    assert.deepEqual(first, [
      ['dead', 'gold.a', 'SLC_X', 1],
      ['late', 'gold.a', 'unreadable', 1],
      ['late', 'gold.a', 'window closed', 1],
    ]);
    assert.deepEqual(await read(), first);
    const odd = { stage: { a: 1 }, reason: 7 };
    await write(
      'gold.a.late',
      [late, late, odd].map((value) => ({ value: Buffer.from(JSON.stringify(value)) })),
    );
    assert.deepEqual(await read(), [
      ['dead', 'gold.a', 'SLC_X', 1],
      ['late', 'gold.a', 'unreadable', 1],
      ['late', 'gold.a', 'window closed', 3],
      ['late', '{"a":1}', '7', 1],
    ]);
  });

  test('clocks: what is read on is what would be read anew', async () => {
    const follower = new ClockFollower(topology);
    const both = async (): Promise<string[]> => {
      const [on, anew] = [
        await follower.read(client, admin, soon()),
        await Clocks.read(client, admin, topology, soon()),
      ];
      const told = (clocks: Clocks): string =>
        [...clocks.inputs]
          .map(([id, { watermark, writer, behind }]) => `${id} ${watermark} ${writer} ${behind}`)
          .join('; ');
      assert.equal(told(on), told(anew));
      assert.deepEqual([on.complete, [...on.writers]], [true, [...anew.writers]]);
      return [told(on), [...on.writers].join()];
    };
    const promise = (m: number): Promise<void> =>
      write('app.watermarks', [encodePromise({ writer: 'silver.clean/0', topic: clean.name, m, ends: [0n] })]);
    const hint = (m: number, at: number): Promise<void> =>
      write(HINTS_TOPIC, [encodeHint({ writer: 'collector', topic: events.name, partition: 0, m, endOffset: 0n, at })]);
    await hint(1, 100);
    await promise(5_000);
    assert.match((await both()).join(), /silver\.clean\/0 5000 .*collector,100/);
    await write('bronze.events', some(4));
    await promise(9_000);
    await hint(2, 200);
    assert.match(
      (await both()).join(),
      /bronze\.events\/0 -Infinity undefined 4.*silver\.clean\/0 9000 .*collector,200/,
    );
    await both();
  });
});
