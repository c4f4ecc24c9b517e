/** Global tables in a topology and under the TopologyTestDriver. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  buildTopology,
  count,
  globalJoin,
  type GlobalKTable,
  keyBy,
  originTopic,
  type Stage,
  type StageBuilder,
  stage,
  type Topic,
} from '#topology';
import { TopologyTestDriver } from '#topology/testing';
import { derived, jsonSerdes, origin, sales, type Sale } from './support.ts';

const shops = origin<string>('shops', 5);
const narrow = origin<Sale>('narrow', 3);
const out = derived<string>('out', 2);
const other = derived<string>('other', 3);
const codeOf = (code: string) => (error: unknown) => (error as { code?: string }).code === code;
const shopOf = ({ value }: { readonly value: Sale }): string => value.shop;
const name = (sale: Sale, row: string | null): string => `${sale.amount} ${row}`;
const left = { join: 'left' } as const;

const joining = stage('joining', (s) => {
  const table = s.globalTable(shops, { store: 'everywhere' });
  s.stream(sales)
    .pipe(
      keyBy((r) => r.value.shop),
      globalJoin(table, shopOf, name, left),
    )
    .to(out);
  s.stream(narrow)
    .pipe(globalJoin(table, shopOf, name, left))
    .to(other);
});

describe('the topology', () => {
  test('neither the table nor its partitions bind the tasks that look into it', () => {
    const { subTopologies, internalTopics, changelogs, globalTables } = buildTopology([joining], { app: 'a' });
    assert.deepEqual(
      subTopologies.map(({ partitions, sources, stores }) => [
        partitions,
        sources.map((each) => each.topic.name),
        stores,
      ]),
      [
        [2, ['sales'], []],
        [3, ['narrow'], []],
      ],
    );
    assert.deepEqual([internalTopics, changelogs], [[], []]);
    assert.deepEqual(
      globalTables.map(({ stage: of, store, topic }) => [of, store, topic.name]),
      [['joining', 'everywhere', 'shops']],
    );
  });

  test('a repartition topic before the join is as wide as its own stream', () => {
    const counted = stage('counted', (s) => {
      const table = s.globalTable(shops, { store: 'everywhere' });
      s.stream(sales).pipe(
        globalJoin(table, shopOf, name, left),
        keyBy((r) => r.value),
        count({ store: 'n' }),
      );
    });
    assert.deepEqual(buildTopology([counted], { app: 'a' }).internalTopics, [
      { name: 'a-n-repartition', partitions: 2 },
    ]);
  });

  test('it is shown as text, as JSON and as Mermaid, with its arrow into the joins', () => {
    const topology = buildTopology([joining], { app: 'a' });
    assert.deepEqual(topology.describe().split('\n').slice(0, 5), [
      'stage joining',
      '  in every process',
      '    reads shops (5 partitions, all of them)',
      '    globalTable everywhere (shops) [store everywhere] -> globalJoin, globalJoin-2',
      '  sub-topology 0 (2 tasks)',
    ]);
    const marked =
      /globalJoin \(left\) \{no function of the log: the global table as it is when a record comes\} -> sink\n/;
    assert.match(topology.describe(), marked);
    assert.match(topology.describe(), /sink \(out\) \{no function of the log: behind globalJoin\}/);
    const json = topology.toJSON() as {
      globalTables: unknown;
      subTopologies: { nodes: { kind: string; globalTables?: string[]; parents: string[] }[] }[];
    };
    assert.deepEqual(json.globalTables, [
      { name: 'globalTable everywhere', stage: 'joining', store: 'everywhere', topic: 'shops', partitions: 5 },
    ]);
    const join = json.subTopologies[0]?.nodes.find(({ kind }) => kind === 'globalJoin');
    assert.deepEqual([join?.parents, join?.globalTables], [['keyBy'], ['globalTable everywhere']]);
    const mermaid = topology.toMermaid();
    const idOf = (label: string): string => new RegExp(`(n\\d+)\\W+"${label}"`).exec(mermaid)?.[1] ?? '';
    const table = idOf('everywhere');
    for (const arrow of [
      `${idOf('shops')} --> ${table}`,
      `${table} --> ${idOf('joining #0')}`,
      `${table} --> ${idOf('joining #1')}`,
    ]) {
      assert.ok(mermaid.split('\n').includes(`  ${arrow}`), `${arrow}\n${mermaid}`);
    }
  });

  test('another table is another epoch, and without one none is told', () => {
    const of = (topic: Topic<string, string>, store: string): string =>
      buildTopology([withTable((s) => s.globalTable(topic, { store }))], { app: 'a' }).epoch;
    const epochs = [of(shops, 'x'), of(shops, 'y'), of(origin<string>('others'), 'x')];
    assert.equal(new Set(epochs).size, 3);
    const none = buildTopology([stage('plain', (s) => s.stream(sales).to(derived<Sale>('sold', 2)))], { app: 'a' });
    assert.deepEqual(none.globalTables, []);
    assert.equal(JSON.stringify(none.toJSON()).includes('globalTables'), false);
  });

  test('a name that is taken, keys in a format of their own, a table of another stage', () => {
    const taken = stage('taken', (s) => {
      s.globalTable(shops, { store: 'n' });
      s.stream(sales).pipe(count({ store: 'n' }));
    });
    assert.throws(() => buildTopology([taken], { app: 'a' }), codeOf('SLC_TOPOLOGY_NAME'));
    const schema = { name: 'key', definition: {} };
    const foreign = originTopic<string, { id: string }>('foreign', {
      value: schema,
      key: schema,
      outOfOrderness: '0s',
    });
    const keyed = stage('keyed', (s) => void s.globalTable(foreign, { store: 'g' }));
    assert.throws(() => buildTopology([keyed], { app: 'a' }), codeOf('SLC_TOPOLOGY_KEY_FORMAT'));
    let elsewhere: GlobalKTable<string, string> | undefined;
    stage('owner', (s) => (elsewhere = s.globalTable(shops, { store: 'g' })));
    assert.throws(() => withTable(() => elsewhere as GlobalKTable<string, string>), codeOf('SLC_STAGE_JOIN'));
  });
});

/** A stage that joins with a table. */
function withTable(table: (s: StageBuilder) => GlobalKTable<string, string>): Stage {
  return stage('with', (s) => {
    s.stream(sales)
      .pipe(globalJoin(table(s), shopOf, name, left))
      .to(out);
  });
}

describe('the driver', () => {
  const sale = (shop: string, amount: number) => ({ key: shop, value: { shop, amount }, timestamp: amount });
  const values = async (driver: TopologyTestDriver): Promise<unknown[]> =>
    (await driver.output(out)).map(({ value }) => String(value)).toSorted();

  test('a row is there as soon as it is piped in, in all tasks, whatever has crashed', async () => {
    const driver = await TopologyTestDriver.create({ stages: [joining], serdes: jsonSerdes });
    await driver.pipeInput(sales, sale('s', 1));
    await driver.pipeInput(shops, { key: 's', value: 'before the run', timestamp: 9 });
    assert.deepEqual(driver.rows('everywhere').get('s'), { value: 'before the run', timestamp: 9 });
    await driver.run();
    driver.crash(0);
    driver.crash(1);
    await driver.pipeInput(shops, { key: 's', value: 'changed', timestamp: 0 });
    await driver.pipeInput(sales, { ...sale('s', 2), partition: 0 });
    await driver.pipeInput(sales, { ...sale('s', 3), partition: 1 });
    await driver.run();
    await driver.pipeInput(shops, { key: 's', value: null, timestamp: 20 });
    await driver.pipeInput(sales, sale('s', 4));
    await driver.run();
    assert.deepEqual(await values(driver), ['1 before the run', '2 changed', '3 changed', '4 null']);
    assert.deepEqual([...driver.rows('everywhere').entries()], []);
  });

  test('what another stage has committed is there for the next record', async () => {
    const named = derived<string>('named', 2);
    const naming = stage('named', (s) => {
      s.stream(shops)
        .pipe(keyBy((r) => r.key))
        .to(named);
    });
    const using = withTable((s) => s.globalTable(named, { store: 'named' }));
    const driver = await TopologyTestDriver.create({ stages: [using, naming], serdes: jsonSerdes });
    await driver.pipeInput(shops, { key: 's', value: 'derived', timestamp: 1 });
    await driver.run();
    assert.equal(driver.rows('named').get('s')?.value, 'derived');
    await driver.pipeInput(sales, sale('s', 5));
    await driver.run();
    assert.deepEqual(await values(driver), ['5 derived']);
  });

  test('a joiner that fails is a dead letter, a null value is dropped', async () => {
    const failing = stage('failing', (s) => {
      const table = s.globalTable(shops, { store: 'g' });
      const fail = (_sale: Sale, row: string): string => {
        if (row === 'bad') throw new Error('cannot');
        return row;
      };
      s.stream(sales)
        .pipe(globalJoin(table, shopOf, fail, { join: 'inner' }))
        .to(out);
    });
    const driver = await TopologyTestDriver.create({ stages: [failing], serdes: jsonSerdes });
    await driver.pipeInput(shops, { key: 's', value: 'bad', timestamp: 1 });
    await driver.pipeInput(shops, { key: 'g', value: 'good', timestamp: 1 });
    await driver.pipeInput(shops, { key: null, value: 'nobody', timestamp: 1, partition: 0 });
    for (const shop of ['s', 'g', 'missing']) await driver.pipeInput(sales, sale(shop, 1));
    await driver.pipeInput(sales, { key: 's', value: null, timestamp: 1 });
    await driver.run();
    assert.deepEqual(await values(driver), ['good']);
    assert.deepEqual(
      driver.deadLetters('failing').map(({ code }) => code),
      ['SLC_RECORD_PROCESS'],
    );
    assert.equal(driver.counts().dropped, 1);
    assert.deepEqual([...driver.rows('g').entries()].length, 2);
  });
});
