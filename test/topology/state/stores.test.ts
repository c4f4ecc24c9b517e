import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type BufferedRecord, MemoryBufferStore } from '../../../topology/state/buffer-store.ts';
import { MemoryKeyValueStore } from '../../../topology/state/memory-store.ts';
import type { ChangelogEntry, StateStore } from '../../../topology/state/store.ts';
import { decodeValue, encodeValue } from '../../../topology/state/value-codec.ts';
import { MemoryVersionedStore } from '../../../topology/state/versioned-store.ts';
import { MemoryWindowStore } from '../../../topology/state/window-store.ts';
import { originCoordinate } from '../../../topology/time/coordinate.ts';

const SEED = Number(process.env['SLUICE_SEED'] ?? Date.now() % 1_000_000);
const RUNS = { numRuns: 200, seed: SEED };

/** Commits at random moments, keeps the changelog compacted as Kafka would, and compares what a restart would see. */
function restored<S extends StateStore>(log: Map<string, ChangelogEntry>, empty: S): S {
  for (const entry of log.values()) empty.restore(entry.key, entry.value);
  return empty;
}

function append(log: Map<string, ChangelogEntry>, store: StateStore): void {
  for (const entry of store.takeChanges()) {
    const id = Buffer.from(entry.key).toString('latin1');
    log.delete(id);
    log.set(id, entry);
  }
  assert.deepEqual(store.takeChanges(), [], 'nothing is dirty after a commit');
}

const key = fc.oneof(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 3 }), fc.bigInt(0n, 2n), fc.boolean());

test(`a key-value store restored from its changelog holds the same (seed ${SEED})`, () => {
  const ops = fc.array(fc.tuple(fc.constantFrom('put', 'delete', 'commit'), key, fc.integer()));
  fc.assert(
    fc.property(ops, (all) => {
      const store = new MemoryKeyValueStore<unknown, unknown>('s');
      const log = new Map<string, ChangelogEntry>();
      for (const [op, k, v] of all) {
        if (op === 'put') store.put(k, { v, big: BigInt(v) });
        else if (op === 'delete') store.delete(k);
        else append(log, store);
      }
      append(log, store);
      const again = restored(log, new MemoryKeyValueStore<unknown, unknown>('s'));
      const sorted = (s: typeof store): unknown[] =>
        [...s.entries()].sort(([a], [b]) => (typeof a + String(a)).localeCompare(typeof b + String(b)));
      assert.deepEqual(sorted(again), sorted(store));
    }),
    RUNS,
  );
});

test(`a window store restored from its changelog closes the same windows (seed ${SEED})`, () => {
  const ops = fc.array(fc.tuple(fc.constantFrom('add', 'close', 'commit'), key, fc.integer({ min: -3, max: 9 })));
  fc.assert(
    fc.property(ops, (all) => {
      const store = new MemoryWindowStore('w');
      const log = new Map<string, ChangelogEntry>();
      for (const [op, k, n] of all) {
        if (op === 'commit') append(log, store);
        else if (op === 'close') for (const entry of store.takeClosed(n * 10)) assert.ok(entry.end <= n * 10);
        else {
          const entry = store.get(k, n * 10, n * 10 + 10) ?? store.add(k, n * 10, n * 10 + 10, 0, false);
          entry.accumulator = (entry.accumulator as number) + 1;
          entry.timestamp = n * 10;
          store.touch(entry);
        }
      }
      append(log, store);
      const again = restored(log, new MemoryWindowStore('w'));
      assert.equal(again.size, store.size);
      assert.equal(again.firstEnd, store.firstEnd);
      assert.deepEqual(again.takeClosed(Infinity), store.takeClosed(Infinity));
      assert.equal(store.size, 0);
      assert.equal(store.firstEnd, Infinity);
    }),
    RUNS,
  );
});

test('a window store does not hold what was touched and then said: nobody takes it when windows emit finals only', () => {
  const store = new MemoryWindowStore('w');
  store.touch(store.add('k', 0, 10, 1, false));
  assert.equal(store.pending().length, 1);
  store.takeChanges();
  assert.deepEqual([store.pending(), store.takePending()], [[], []]);
});

test(`a buffer gives its records in (timestamp, coordinate) order, restored or not (seed ${SEED})`, () => {
  const ops = fc.array(
    fc.tuple(fc.constantFrom('add', 'take', 'commit'), fc.integer({ min: 0, max: 9 }), fc.integer({ min: -5, max: 9 })),
  );
  fc.assert(
    fc.property(ops, (all) => {
      const store = new MemoryBufferStore('b');
      const log = new Map<string, ChangelogEntry>();
      let model: BufferedRecord[] = [];
      let offset = 0;
      for (const [op, timestamp, ow] of all) {
        if (op === 'commit') append(log, store);
        else if (op === 'add') {
          const record = {
            key: 'k',
            value: offset,
            timestamp,
            originWatermark: ow === 9 ? -Infinity : ow,
            coordinate: originCoordinate(1, 0, offset++),
          };
          store.add(record);
          model.push(record);
        } else {
          model.sort((a, b) => a.timestamp - b.timestamp || Buffer.compare(a.coordinate, b.coordinate));
          assert.equal(store.first?.value, model[0]?.value);
          store.removeFirst();
          model = model.slice(1);
        }
        assert.equal(store.leastWatermark, Math.min(Infinity, ...model.map((r) => r.originWatermark)));
        assert.equal(store.size, model.length);
      }
      append(log, store);
      const again = restored(log, new MemoryBufferStore('b'));
      model.sort((a, b) => a.timestamp - b.timestamp || Buffer.compare(a.coordinate, b.coordinate));
      for (const expected of model) {
        assert.deepEqual(again.first, expected);
        again.removeFirst();
      }
      assert.equal(again.first, undefined);
    }),
    RUNS,
  );
});

test(`a versioned store answers as of any instant that is still asked for, restored or not (seed ${SEED})`, () => {
  const put = fc.tuple(
    fc.constantFrom('a', 'b'),
    fc.integer({ min: 0, max: 30 }),
    fc.integer({ min: 0, max: 12 }),
    fc.boolean(),
  );
  fc.assert(
    fc.property(fc.array(put), fc.integer({ min: 0, max: 2 }), (puts, grace) => {
      const store = new MemoryVersionedStore('v');
      const log = new Map<string, ChangelogEntry>();
      const model: { k: string; t: number; ow: number; v: number }[] = [];
      const asOf = (s: MemoryVersionedStore, k: string, at: number): unknown =>
        s.asOf(k, at, (x) => x.originWatermark <= x.timestamp + grace)?.value;
      let horizon = 0;
      for (const [n, [k, t, late, commit]] of puts.entries()) {
        const ow = t + late - 8;
        store.put(k, { timestamp: t, coordinate: originCoordinate(1, 0, n), originWatermark: ow, value: n });
        model.push({ k, t, ow, v: n });
        horizon = Math.max(horizon, n);
        store.forgetBefore('join', horizon);
        if (commit) append(log, store);
      }
      append(log, store);
      const again = restored(log, new MemoryVersionedStore('v'));
      for (const k of ['a', 'b']) {
        for (let at = horizon; at < 40; at++) {
          const [newest] = model
            .filter((m) => m.k === k && m.t <= at && m.ow <= m.t + grace)
            .sort((a, b) => b.t - a.t || b.v - a.v);
          assert.equal(asOf(store, k, at), newest?.v);
          assert.equal(asOf(again, k, at), newest?.v);
        }
      }
    }),
    RUNS,
  );
});

test('engine values keep bigints and infinities, and refuse the names that mark them', () => {
  const value = { a: 1n, b: [-Infinity, 2, null], c: { d: 'x', e: 12345678901234567890n }, f: '"$bigint"' };
  assert.deepEqual(decodeValue(Buffer.from(encodeValue(value))), value);
  assert.throws(() => encodeValue({ $bigint: 5 }), /\$bigint/);
  assert.throws(() => encodeValue(() => 1), /cannot be stored/);
});
