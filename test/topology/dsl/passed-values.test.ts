/** Values that nobody changed cross a repartition topic as the bytes that they were read from; all others as JSON, beside them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { filter, map, tap } from 'rxjs';
import {
  buildTopology,
  dedupe,
  InvariantError,
  keyBy,
  type KStream,
  mapValues,
  NotReadyError,
  RecordError,
  reduce,
  type SerdeFactory,
  type Stage,
  stage,
  type TimePolicyName,
} from '#topology';
import { TopologyTestDriver } from '#topology/testing';
import { repartitionSerde } from '../../../topology/runtime/passed-value.ts';
import { derived, framedSerdes, jsonSerdes, origin } from './support.ts';

interface Sale {
  readonly shop: string;
  readonly amount: number;
}

const sales = origin<Sale>('sales', 2);
const returns = origin<Sale>('returns', 2);
const out = derived<Sale>('out', 2);

/** The sales by shop, with what `change` does before, and the last sale of each shop. */
const byShop = (change: (stream: KStream<string, Sale>) => KStream<string, Sale>): Stage =>
  stage('by_shop', (s) => {
    change(s.stream(sales))
      .pipe(
        keyBy((r) => r.value.shop),
        reduce((_, sale) => sale, { store: 'last', commutative: true }),
      )
      .toStream()
      .to(out);
  });

/** What lies in the repartition topic: 'bytes' or 'json' per record, in no order. */
const formsIn = async (driver: TopologyTestDriver, topic: string): Promise<string[]> =>
  (await driver.output(derived(topic, 2))).map(({ value }) => String(value)).sort();

/** Serdes by which a test that reads a repartition topic finds the forms of its values. */
const showing = (serdes: SerdeFactory): SerdeFactory => ({
  async open(subject, schema, use) {
    const serde = await serdes.open(subject, schema, use);
    if (!subject.endsWith('-repartition-value')) return serde;
    return { ...serde, deserialize: (bytes) => (bytes[0] === 0 ? 'bytes' : 'json') as never };
  },
});

async function driven(
  stages: readonly Stage[],
  values: readonly Sale[],
  { serdes = framedSerdes, time = 'watermark' }: { serdes?: SerdeFactory; time?: TimePolicyName } = {},
): Promise<TopologyTestDriver> {
  const driver = await TopologyTestDriver.create({ stages, serdes: showing(serdes), time });
  for (const [i, value] of values.entries()) {
    await driver.pipeInput(sales, { key: `${i}`, value, timestamp: 1_000 + i });
  }
  await driver.run();
  return driver;
}

const amounts = async (driver: TopologyTestDriver): Promise<Record<string, number>> =>
  Object.fromEntries([...(await driver.table(out))].map(([key, value]) => [String(key), (value as Sale).amount]));

const TWO: readonly Sale[] = [
  { shop: 'a', amount: 1 },
  { shop: 'b', amount: 20 },
];
const LAST = 'test-last-repartition';

describe('values across a repartition topic', () => {
  test('the same object crosses as its bytes, behind filter() and map() of the record too', async () => {
    const kept = (stream: KStream<string, Sale>): KStream<string, Sale> =>
      stream.pipe(
        filter((r) => r.value.amount > 0),
        map((r) => ({ ...r })),
      );
    const driver = await driven([byShop(kept)], [...TWO, { shop: 'c', amount: 0 }]);
    assert.deepEqual(await formsIn(driver, LAST), ['bytes', 'bytes']);
    assert.deepEqual(await amounts(driver), { a: 1, b: 20 });
  });

  test('a stage that passes some on and maps others', async () => {
    const some = (stream: KStream<string, Sale>): KStream<string, Sale> =>
      stream.pipe(mapValues((sale) => (sale.amount > 10 ? { ...sale, amount: 10 } : sale)));
    const driver = await driven([byShop(some)], TWO);
    assert.deepEqual(await formsIn(driver, LAST), ['bytes', 'json']);
    assert.deepEqual(await amounts(driver), { a: 1, b: 10 });
  });

  test('through one repartition topic and the next', async () => {
    const twice = (stream: KStream<string, Sale>): KStream<string, Sale> =>
      stream.pipe(
        keyBy((r) => r.value.amount),
        dedupe({ by: (r) => r.key, within: '1s', store: 'seen' }),
      ) as unknown as KStream<string, Sale>;
    const driver = await driven([byShop(twice)], [...TWO, { shop: 'b', amount: 20 }], { time: 'stream-time' });
    assert.deepEqual(await formsIn(driver, 'test-seen-repartition'), ['bytes', 'bytes', 'bytes']);
    assert.deepEqual(await formsIn(driver, LAST), ['bytes', 'bytes']);
    assert.deepEqual(await amounts(driver), { a: 1, b: 20 });
  });

  test('bytes that do not begin as JSON never does are not passed on', async () => {
    const driver = await driven([byShop((stream) => stream)], TWO, { serdes: jsonSerdes });
    assert.deepEqual(await formsIn(driver, LAST), ['json', 'json']);
    assert.deepEqual(await amounts(driver), { a: 1, b: 20 });
  });

  test('of two topics nobody could tell whose bytes they are: JSON', async () => {
    const both = stage('both', (s) => {
      s.stream(sales)
        .merge(s.stream(returns))
        .pipe(
          keyBy((r) => r.value.shop),
          reduce((_, sale) => sale, { store: 'last', commutative: true }),
        )
        .toStream()
        .to(out);
    });
    const driver = await driven([both], TWO);
    assert.deepEqual(await formsIn(driver, LAST), ['json', 'json']);
    assert.deepEqual(await amounts(driver), { a: 1, b: 20 });
  });

  test('a value that was changed in place stops the task', async () => {
    const spoilt = (stream: KStream<string, Sale>): KStream<string, Sale> =>
      stream.pipe(tap((r) => Object.assign(r.value, { amount: 7 })));
    await assert.rejects(driven([byShop(spoilt)], TWO), (error) => {
      assert.ok(error instanceof InvariantError);
      assert.equal(error.code, 'SLC_STAGE_VALUE_CHANGED');
      return true;
    });
  });
});

describe('the epoch', () => {
  test('is another one where values cross as their bytes: who reads JSON only is kept apart', () => {
    const epochOf = (topic: typeof sales): { readonly epoch: string; readonly json: unknown } => {
      const merged = stage('by_shop', (s) => {
        s.stream(topic).pipe(
          keyBy((r) => r.value.shop),
          reduce((_, sale) => sale, { store: 'last', commutative: true }),
        );
      });
      const topology = buildTopology([merged], { app: 'test' });
      return { epoch: topology.epoch, json: topology.toJSON() };
    };
    const { epoch, json } = epochOf(sales);
    assert.equal(epochOf(sales).epoch, epoch);
    assert.ok(!JSON.stringify(json).includes(' as sales'));
    assert.notEqual(epochOf(returns).epoch, epoch);
  });
});

describe('the reader of a repartition topic', () => {
  const serdeOf = (read: (bytes: Uint8Array) => unknown) => ({ serialize: () => Buffer.alloc(0), deserialize: read });
  const bytes = Buffer.from([0, 0, 0, 0, 1, 65]);

  test('reads what earlier versions wrote: JSON, with its additions', () => {
    const serde = repartitionSerde([serdeOf(() => assert.fail('is not asked'))]);
    assert.deepEqual(serde.deserialize(serde.serialize({ n: 5n, list: [1] })), { n: 5n, list: [1] });
  });

  test('takes the first of several topics that can read it; waits for a schema', () => {
    const broken = serdeOf(() => {
      throw new RecordError('SLC_RECORD_DECODE', 'not mine');
    });
    const mine = serdeOf((read) => read.length);
    assert.equal(repartitionSerde([broken, mine]).deserialize(bytes), 6);
    assert.throws(() => repartitionSerde([broken, broken]).deserialize(bytes), { code: 'SLC_RECORD_DECODE' });
    const waiting = serdeOf(() => {
      throw new NotReadyError('a schema is being fetched', Promise.resolve());
    });
    assert.throws(() => repartitionSerde([waiting, mine]).deserialize(bytes), NotReadyError);
  });
});
