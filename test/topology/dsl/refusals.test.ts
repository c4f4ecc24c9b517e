/** What a stage may not do is said when the topology is built, or at the record that shows it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import {
  bufferCount,
  debounceTime,
  defer,
  delay,
  distinctUntilChanged,
  filter,
  from,
  map,
  mergeMap,
  Observable,
  of,
  type OperatorFunction,
  pipe,
  scan,
  take,
  tap,
  toArray,
} from 'rxjs';
import {
  aggregate,
  asOfJoin,
  buildTopology,
  count,
  hopping,
  keyBy,
  mapValues,
  stage,
  type StreamRecord,
  topic,
  tumbling,
  windowedBy,
} from '#topology';
import { derived, driverOf, named, out, type Sale, sales } from './support.ts';

type Op = OperatorFunction<StreamRecord<string, Sale>, StreamRecord<string, Sale>>;
const minute = tumbling({ size: '1m', grace: '0s' });
const stageOf = (op: Op) =>
  stage('refused', (s) => {
    s.stream(sales).pipe(op).to(out);
  });
const codeOf = (code: string) => (error: unknown) => (error as { code?: string }).code === code;

describe('when the topology is built', () => {
  test('operators of the engine hidden in functions', () => {
    const rekey = keyBy<string, Sale, string>((r) => r.value.shop);
    const hidden: Op[] = [
      (source) => rekey(new Observable((subscriber) => source.subscribe(subscriber))),
      (source) => new Observable((subscriber) => rekey(source).subscribe(subscriber)),
      (source) => defer(() => rekey(source)),
    ];
    for (const op of hidden) assert.throws(() => stageOf(op), codeOf('SLC_STAGE_HIDDEN_OPERATOR'));
  });

  test('RxJS operators that keep state; those that keep none pass', () => {
    const stateful: Op[] = [
      scan((_all, r: StreamRecord<string, Sale>) => r),
      distinctUntilChanged(),
      pipe(
        bufferCount(2),
        map(([r]) => r as StreamRecord<string, Sale>),
      ),
      debounceTime(1),
      take(2),
      pipe(
        toArray(),
        mergeMap((all) => from(all)),
      ),
    ];
    for (const [i, op] of stateful.entries())
      assert.throws(() => stageOf(op), codeOf('SLC_STAGE_HIDDEN_STATE'), String(i));
    const pure: Op = pipe(
      filter((r) => r.value.amount > 0),
      mergeMap((r) => from([r, r])),
      tap(() => undefined),
    );
    assert.doesNotThrow(() => stageOf(pure));
  });

  test('pipes of pipes are read through', () => {
    const nested = stage('nested', (s) => {
      const counted = s.stream(sales).pipe(
        pipe(
          filter((r: StreamRecord<string, Sale>) => r.value.amount > 0),
          pipe(
            keyBy((r: StreamRecord<string, Sale>) => r.value.shop),
            map((r) => r),
          ),
        ),
        windowedBy(minute),
        count({ store: 'nested' }),
      );
      named(counted).to(out);
    });
    const kinds = nested.graph.nodes.map(({ spec }) => spec.kind);
    assert.deepEqual(kinds, ['source', 'rx', 'keyBy', 'rx', 'repartition', 'windowedBy', 'count', 'keyBy', 'sink']);
  });

  test('windowedBy without an aggregation, aggregations without an order', () => {
    const open = hopping({ size: '1h', advance: '15m', grace: '0s' });
    assert.throws(
      () =>
        stage(
          's',
          (s) =>
            void s.stream(sales).pipe(
              windowedBy(open),
              tap(() => undefined),
              count({ store: 'x' }),
            ),
        ),
      codeOf('SLC_STAGE_WINDOW'),
    );
    assert.throws(
      () => stage('s', (s) => void s.stream(sales).pipe(windowedBy(open) as never)),
      codeOf('SLC_STAGE_WINDOW'),
    );
    const last = aggregate<StreamRecord<string, Sale>, number>(
      () => 0,
      (_all, value) => value.amount,
      { store: 'x' },
    );
    const behind = stage(
      's',
      (s) =>
        void s.stream(sales).pipe(
          keyBy((r) => r.key),
          last,
        ),
    );
    assert.throws(() => buildTopology([behind], { app: 'test' }), codeOf('SLC_STAGE_ORDER'));
    // Kafka Streams folds as records come; and one partition of an origin topic has one order.
    assert.ok(buildTopology([behind], { app: 'test', time: 'stream-time' }));
    assert.ok(buildTopology([stage('s', (s) => void s.stream(sales).pipe(last))], { app: 'test' }));
    assert.throws(() => hopping({ size: '1m', advance: '2m', grace: '0s' }), codeOf('SLC_TOPOLOGY_WINDOW'));
  });

  test('an as-of join with a table that keeps no history', () => {
    const joins = () =>
      stage('joins', (s) => {
        const table = s.stream(sales).pipe(count({ store: 'counts' }));
        s.stream(sales)
          .pipe(asOfJoin(table, (_sale, n) => n, { store: 'joins', grace: '0s', tableGrace: '0s', join: 'inner' }))
          .to(out);
      });
    assert.throws(joins, codeOf('SLC_STAGE_NO_HISTORY'));
  });

  test('updates as records, names twice, a writer in two sub-topologies, partitions that do not fit', () => {
    const build = (...stages: Parameters<typeof buildTopology>[0]) => buildTopology(stages, { app: 'test' });
    const totals = derived<number>('totals', 2);
    const writes = stage('writes', (s) =>
      s
        .stream(sales)
        .pipe(count({ store: 'totals' }))
        .toStream()
        .to(totals),
    );
    const reads = stage('reads', (s) => {
      named(s.stream(totals).pipe(windowedBy(minute), count({ store: 'reads' }))).to(out);
    });
    assert.throws(() => build(writes, reads), codeOf('SLC_TOPOLOGY_UPDATES'));
    const joins = stage('joins', (s) => {
      const table = s.table(totals, { store: 'totals-read' });
      s.stream(sales)
        .pipe(asOfJoin(table, (_sale, n) => n, { store: 'joins', grace: '0s', tableGrace: '0s', join: 'inner' }))
        .to(out);
    });
    assert.throws(() => build(writes, joins), codeOf('SLC_TOPOLOGY_UPDATES'));
    assert.throws(
      () =>
        build(
          writes,
          stage('writes', (s) => s.stream(sales).to(out)),
        ),
      codeOf('SLC_TOPOLOGY_NAME'),
    );
    const twice = stage('twice', (s) => {
      const source = s.stream(sales);
      source.pipe(mapValues((value): unknown => value)).to(out);
      named(
        source.pipe(
          keyBy((r) => r.value.shop),
          windowedBy(minute),
          count({ store: 'twice' }),
        ),
      ).to(out);
    });
    assert.throws(() => build(twice), codeOf('SLC_TOPOLOGY_WRITERS'));
    const other = topic<Sale>('other', { value: sales.value, partitions: 5 });
    const apart = stage('apart', (s) => {
      named(
        s
          .stream(sales)
          .merge(s.stream(other))
          .pipe(windowedBy(minute), count({ store: 'apart' })),
      ).to(out);
    });
    assert.throws(() => build(apart), codeOf('SLC_TOPOLOGY_COPARTITION'));
    assert.throws(() => stage('origin', (s) => s.stream(sales).to(sales)), codeOf('SLC_TOPOLOGY_SINK'));
  });
});

describe('at the record that shows it', () => {
  const runOf = async (op: Op): Promise<void> => {
    const driver = await driverOf(stageOf(op));
    const value = { shop: 'x', amount: 1 };
    for (let timestamp = 1; timestamp < 200; timestamp++) {
      await driver.pipeInput(sales, { key: 'k', value, timestamp, partition: 0 });
      await driver.run();
      await setTimeout(1);
    }
  };

  test('an emission outside of processing, the end of the stream, an engine operator inside mergeMap', async () => {
    const later: Op = (source) =>
      new Observable((subscriber) => source.subscribe((r) => void setImmediate(() => subscriber.next(r))));
    await assert.rejects(runOf(later), codeOf('SLC_STAGE_ASYNC_EMISSION'));
    await assert.rejects(runOf(delay(0)), codeOf('SLC_STAGE_ASYNC_EMISSION'));
    await assert.rejects(runOf(mergeMap((r) => Promise.resolve(r))), codeOf('SLC_STAGE_ASYNC_EMISSION'));
    const ends: Op = (source) => new Observable((subscriber) => source.subscribe(() => subscriber.complete()));
    await assert.rejects(runOf(ends), codeOf('SLC_STAGE_ENDED'));
    const inside: Op = mergeMap((r) => of(r).pipe(keyBy((each) => each.value.shop)));
    const driver = await driverOf(stageOf(inside));
    await driver.pipeInput(sales, { key: 'k', value: { shop: 'x', amount: 1 }, timestamp: 1 });
    await driver.run();
    assert.match(driver.deadLetters('refused')[0]?.reason ?? '', /move it out of mergeMap|while a record is processed/);
  });

  test('a key changed by plain RxJS before a keyed operator', async () => {
    const driver = await driverOf(
      stage('changes', (s) => {
        const changed = s.stream(sales).pipe(map((r) => ({ ...r, key: `${r.key}!` })));
        named(changed.pipe(windowedBy(minute), count({ store: 'changes' }))).to(out);
      }),
    );
    await driver.pipeInput(sales, { key: 'k', value: { shop: 'x', amount: 1 }, timestamp: 1 });
    await assert.rejects(driver.run(), codeOf('SLC_STAGE_KEY_CHANGED'));
  });

  test('outside of a topology operators run at once, over any Observable', () => {
    const seen: unknown[] = [];
    const record = (key: string, timestamp: number): StreamRecord<string, number> => ({ key, value: 1, timestamp });
    of(record('a', 1), record('a', 500), record('b', 61_000))
      .pipe(windowedBy(minute), count({ store: 'x' }))
      .subscribe((r) => seen.push(`${r.key.key}@${r.key.start}=${r.value}`));
    of(record('a', 1), record('b', 1), record('a', 2))
      .pipe(count({ store: 'y' }))
      .subscribe((r) => seen.push(r));
    const updates = [record('a', 1), record('b', 1), { ...record('a', 2), value: 2 }];
    assert.deepEqual(seen, ['a@0=2', 'b@60000=1', ...updates]);
  });
});
