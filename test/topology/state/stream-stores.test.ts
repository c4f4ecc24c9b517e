/** Stores of sessions, joins and suppress: what a restart finds in the compacted changelog is what was there at the last commit. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type JoinEntry, MemoryJoinStore, type Side } from '../../../topology/state/join-store.ts';
import { keyFromId, keyId } from '../../../topology/state/key-codec.ts';
import { MemorySessionStore } from '../../../topology/state/session-store.ts';
import type { ChangelogEntry, StateStore } from '../../../topology/state/store.ts';
import { MemorySuppressStore } from '../../../topology/state/suppress-store.ts';
import { originCoordinate, originPlaceOf, pairCoordinate } from '../../../topology/time/coordinate.ts';

const SEED = Number(process.env['SLUICE_SEED'] ?? Date.now() % 1_000_000);
const RUNS = { numRuns: 200, seed: SEED };

const key = fc.oneof(
  fc.constantFrom('a', 'b', '|', 'w1|2|x'),
  fc.integer({ min: 0, max: 3 }),
  fc.bigInt(0n, 2n),
  fc.boolean(),
);

function append(log: Map<string, ChangelogEntry>, store: StateStore): void {
  for (const entry of store.takeChanges()) {
    const id = Buffer.from(entry.key).toString('latin1');
    log.delete(id);
    log.set(id, entry);
  }
  assert.deepEqual(store.takeChanges(), [], 'nothing is dirty after a commit');
}

function restored<S extends StateStore>(log: Map<string, ChangelogEntry>, empty: S): S {
  for (const entry of log.values()) empty.restore(entry.key, entry.value);
  return empty;
}

test(`keys and window keys come back from their ids, whatever is in them (seed ${SEED})`, () => {
  const plain = fc.oneof(key, fc.string());
  const windowed = fc.record({ key: plain, start: fc.integer(), end: fc.integer() }, { noNullPrototype: true });
  fc.assert(
    fc.property(fc.oneof(plain, windowed), (each) => assert.deepEqual(keyFromId(keyId(each)), each)),
    RUNS,
  );
});

test(`a session store finds what touches, and closes in order, restored or not (seed ${SEED})`, () => {
  const ops = fc.array(
    fc.tuple(
      fc.constantFrom('put', 'put', 'merge', 'close', 'commit'),
      key,
      fc.integer({ min: 0, max: 30 }),
      fc.integer({ min: 0, max: 6 }),
    ),
  );
  fc.assert(
    fc.property(ops, (all) => {
      const store = new MemorySessionStore('s');
      const log = new Map<string, ChangelogEntry>();
      const model = new Map<string, { key: unknown; start: number; end: number; accumulator: number }>();
      for (const [op, k, start, length] of all) {
        const end = start + length;
        if (op === 'put') {
          const entry = { key: k, start, end, accumulator: start };
          store.put({ ...entry, timestamp: end, originWatermark: 0, contributors: undefined });
          model.set(keyId(entry), entry);
        } else if (op === 'merge') {
          const wanted = [...model.values()].filter((e) => Object.is(e.key, k) && e.end >= start && e.start <= end);
          const touched = store.touching(k, start, end);
          assert.deepEqual(
            touched.map((e) => [e.end, e.start]),
            wanted.map((e) => [e.end, e.start]).sort(([a = 0, b = 0], [c = 0, d = 0]) => a - c || b - d),
          );
          for (const entry of touched) {
            store.remove(entry);
            model.delete(keyId(entry));
          }
        } else if (op === 'close') {
          assert.equal(store.firstEnd, Math.min(Infinity, ...[...model.values()].map((e) => e.end)));
          const closed = store.takeClosed(start);
          assert.ok(closed.every((entry) => entry.end <= start));
          for (const entry of closed) assert.ok(model.delete(keyId(entry)));
          assert.ok([...model.values()].every((entry) => entry.end > start));
        } else append(log, store);
      }
      append(log, store);
      const rows = (s: MemorySessionStore): unknown[] =>
        s
          .takeClosed(Infinity)
          .map(({ key: k, start, end, accumulator }) => [typeof k, String(k), start, end, accumulator]);
      const again = restored(log, new MemorySessionStore('s'));
      assert.equal(again.size, model.size);
      const [one, other] = [rows(again), rows(store)];
      assert.deepEqual(one.map((row) => JSON.stringify(row)).sort(), other.map((row) => JSON.stringify(row)).sort());
    }),
    RUNS,
  );
});

test(`a join store shows each side what lies near, restored or not (seed ${SEED})`, () => {
  const ops = fc.array(
    fc.tuple(
      fc.constantFrom('add', 'add', 'match', 'expire', 'commit'),
      key,
      fc.integer({ min: 0, max: 20 }),
      fc.constantFrom<Side>(0, 1),
    ),
  );
  fc.assert(
    fc.property(ops, (all) => {
      const store = new MemoryJoinStore('j');
      const log = new Map<string, ChangelogEntry>();
      for (const [offset, [op, k, timestamp, side]] of all.entries()) {
        const coordinate = originCoordinate(1, 0, offset);
        if (op === 'add')
          store.add({
            side,
            key: k,
            value: offset,
            timestamp,
            originWatermark: -Infinity,
            coordinate,
            isMatched: false,
          });
        else if (op === 'match')
          for (const entry of store.near(side, k, timestamp - 3, timestamp + 3)) {
            entry.isMatched = true;
            store.touch(entry);
          }
        else if (op === 'expire') {
          let last = -Infinity;
          for (
            let first = store.first(side);
            first !== undefined && first.timestamp <= timestamp;
            first = store.first(side)
          ) {
            assert.ok(first.timestamp >= last);
            last = first.timestamp;
            store.removeFirst(side);
          }
        } else append(log, store);
      }
      append(log, store);
      const again = restored(log, new MemoryJoinStore('j'));
      const text = ({ key: k, value, timestamp, isMatched }: JoinEntry): string =>
        JSON.stringify([typeof k, String(k), value, timestamp, isMatched]);
      for (const side of [0, 1] as const) {
        assert.deepEqual([...again.entries(side)].map(text).sort(), [...store.entries(side)].map(text).sort());
        for (const k of ['a', 0, 0n, true]) {
          assert.deepEqual(again.near(side, k, 3, 12).map(text), store.near(side, k, 3, 12).map(text));
        }
      }
    }),
    RUNS,
  );
});

test(`a suppress buffer keeps the due time of the first change and the value of the last, restored or not (seed ${SEED})`, () => {
  const ops = fc.array(fc.tuple(fc.constantFrom('put', 'put', 'take', 'commit'), key, fc.integer({ min: 0, max: 20 })));
  fc.assert(
    fc.property(ops, (all) => {
      const store = new MemorySuppressStore('s');
      const log = new Map<string, ChangelogEntry>();
      const due = new Map<string, number>();
      for (const [op, k, n] of all) {
        if (op === 'put') {
          store.put({ key: k, value: n, timestamp: n, dueTime: n });
          if (!due.has(keyId(k))) due.set(keyId(k), n);
        } else if (op === 'take') {
          const { first } = store;
          assert.equal(first?.dueTime, due.size === 0 ? undefined : Math.min(...due.values()));
          if (first !== undefined) due.delete(keyId(first.key));
          store.removeFirst();
        } else append(log, store);
      }
      append(log, store);
      const again = restored(log, new MemorySuppressStore('s'));
      assert.deepEqual([again.size, again.bytes], [store.size, store.bytes]);
      const drain = (s: MemorySuppressStore): unknown[] => {
        const rows: unknown[] = [];
        for (let first = s.first; first !== undefined; first = s.first) {
          rows.push([first.key, first.value, first.timestamp, first.dueTime]);
          s.removeFirst();
        }
        return rows;
      };
      assert.deepEqual(new Set(drain(again)), new Set(drain(store)));
      assert.deepEqual([again.bytes, store.bytes], [0, 0]);
    }),
    RUNS,
  );
});

test('a pair of records is no place in a topic, and pairs of equal left records order by the right one', () => {
  const [left, one, two] = [originCoordinate(1, 0, 5), originCoordinate(2, 0, 3), originCoordinate(2, 0, 4)];
  assert.equal(originPlaceOf(pairCoordinate(left, one)), undefined);
  assert.equal(originPlaceOf(pairCoordinate(left, Buffer.alloc(0))), undefined);
  assert.ok(Buffer.compare(pairCoordinate(left, one), pairCoordinate(left, two)) < 0);
  assert.ok(Buffer.compare(pairCoordinate(left, Buffer.alloc(0)), pairCoordinate(left, one)) < 0);
});
