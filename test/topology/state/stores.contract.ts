/** What stores promise, in memory and above a file alike: random operations against a plain model, with commits, roll-back and restarts between them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { keyId } from '../../../topology/state/key-codec.ts';
import type { MemoryWindowStore } from '../../../topology/state/window-store.ts';
import { byKey, type WindowEntry } from '../../../topology/state/window-store.ts';
import { byEndAndKey, type MemorySessionStore } from '../../../topology/state/session-store.ts';
import { type MemoryVersionedStore, newestNeeded } from '../../../topology/state/versioned-store.ts';
import { originCoordinate } from '../../../topology/time/coordinate.ts';
import type { KeyValueStore } from '../../../topology/state/store.ts';
import type { MakeLab, StoreLab } from './store-labs.ts';
import type { StateStore } from '../../../topology/state/store.ts';

const SEED = Number(process.env['SLUICE_SEED'] ?? Date.now() % 1_000_000);

/** What happens around a store, and what becomes of the model: what is not committed falls back. */
const EVENTS = ['commit', 'commit', 'squeeze', 'squeeze', 'flush', 'reopen', 'crash'] as const;
type Event = (typeof EVENTS)[number];

const isEvent = (op: string): op is Event => (EVENTS as readonly string[]).includes(op);
const LOSES: readonly string[] = ['reopen', 'crash'];

const key = fc.oneof(
  { weight: 6, arbitrary: fc.nat(40).map((n) => `k${n}`) },
  fc.constantFrom('', 'é', '€', '😀', '1'),
  fc.integer({ min: 0, max: 3 }),
  fc.bigInt(0n, 2n),
  fc.boolean(),
);

/** The model as it was at the last commit. */
class Model<V> {
  rows = new Map<string, V>();
  #committed = new Map<string, V>();

  happen(op: Event): void {
    if (op === 'commit') this.#committed = structuredClone(this.rows);
    else if (LOSES.includes(op)) this.rows = structuredClone(this.#committed);
  }
}

function run<S extends StateStore, O extends readonly [string, ...unknown[]]>(
  lab: StoreLab<S>,
  ops: readonly O[],
  model: Model<unknown>,
  apply: (store: S, op: O) => void,
): void {
  for (const op of ops) {
    const [name] = op;
    if (isEvent(name)) {
      lab[name]();
      model.happen(name);
    } else {
      apply(lab.store, op);
      assert.equal(lab.store.size, model.rows.size, `size after ${name}`);
    }
  }
}

export function storeContract(kind: string, make: MakeLab, numRuns: number): void {
  const options = { numRuns, seed: SEED, endOnFailure: true };
  const title = (what: string): string => `${kind}: ${what} (seed ${SEED})`;

  test(title('a key-value store is a map, and falls back to its last commit'), () => {
    const op = fc.tuple(
      fc.constantFrom('put', 'put', 'put', 'change', 'delete', 'get', 'get', 'entries', ...EVENTS),
      key,
      fc.integer(),
    );
    fc.assert(
      fc.property(fc.array(op, { maxLength: 300, size: 'max' }), (ops) => {
        const lab = make<KeyValueStore<unknown, { v: number; big: bigint }>>({ name: 's', kind: 'key-value' });
        const model = new Model<{ v: number; big: bigint }>();
        const check = (): void => {
          const rows = [...lab.store.entries()].map(([k, v]) => [keyId(k), v] as const);
          assert.equal(new Set(rows.map(([id]) => id)).size, rows.length, 'each once');
          assert.deepEqual(new Map(rows), model.rows);
        };
        try {
          run(lab, ops, model, (store, [name, k, v]) => {
            const id = keyId(k);
            const known = model.rows.get(id);
            if (name === 'put') {
              store.put(k, { v, big: BigInt(v) });
              model.rows.set(id, { v, big: BigInt(v) });
            } else if (name === 'change' && known !== undefined) {
              const row = store.get(k);
              assert.ok(row !== undefined);
              row.v++;
              store.put(k, row);
              known.v++;
            } else if (name === 'delete') {
              store.delete(k);
              model.rows.delete(id);
            } else if (name === 'entries') check();
            assert.deepEqual(store.get(k), model.rows.get(id));
          });
          check();
          lab.commit();
          assert.equal(lab.changelog().size, model.rows.size);
        } finally {
          lab.end();
        }
      }),
      options,
    );
  });

  test(
    title('a window store holds what is open, closes it once and in order, and falls back to its last commit'),
    () => {
      const op = fc.tuple(
        fc.constantFrom('add', 'add', 'add', 'add', 'get', 'close', 'pending', ...EVENTS),
        key,
        fc.integer({ min: -3, max: 9 }),
        fc.boolean(),
      );
      fc.assert(
        fc.property(fc.array(op, { maxLength: 300, size: 'max' }), (ops) => {
          const lab = make<MemoryWindowStore>({ name: 'w', kind: 'window' });
          type Row = { key: unknown; start: number; end: number; accumulator: number; contributors: unknown };
          const model = new Model<Row>();
          const rowOf = ({ key: k, start, end, accumulator, contributors }: Row | Entry): Row => {
            return { key: k, start, end, accumulator: accumulator as number, contributors };
          };
          type Entry = NonNullable<ReturnType<MemoryWindowStore['get']>>;
          const close = (store: MemoryWindowStore, lastEnd: number): void => {
            const expected = [...model.rows].filter(([, row]) => row.end <= lastEnd);
            const order = (a: Row, b: Row): number =>
              a.end - b.end || a.start - b.start || byKey(a as never, b as never);
            const closed = [...store.takeClosed(lastEnd)].map(rowOf);
            assert.deepEqual(closed, expected.map(([, row]) => row).sort(order));
            for (const [id] of expected) model.rows.delete(id);
          };
          try {
            run(lab, ops, model, (store, [name, k, n, isWide]) => {
              const [start, end] = [n * 10, n * 10 + (isWide ? 20 : 10)];
              const id = `${start}|${end}|${keyId(k)}`;
              if (name === 'add') {
                const entry = store.get(k, start, end) ?? store.add(k, start, end, 0, isWide);
                entry.accumulator = (entry.accumulator as number) + 1;
                entry.contributors?.push([n, 'c', n]);
                entry.timestamp = n;
                store.touch(entry);
                const row = model.rows.get(id) ?? {
                  key: k,
                  start,
                  end,
                  accumulator: 0,
                  contributors: isWide ? [] : undefined,
                };
                row.accumulator++;
                (row.contributors as unknown[] | undefined)?.push([n, 'c', n]);
                model.rows.set(id, row);
              } else if (name === 'close') close(store, end);
              else if (name === 'pending')
                for (const entry of store.takePending()) assert.ok(entry.end >= store.firstEnd);
              const found = store.get(k, start, end);
              assert.deepEqual(found && rowOf(found), model.rows.get(id));
              const near: WindowEntry[] = [];
              store.collect(k, start - 20, start + 10, near);
              const inReach = [...model.rows.values()].filter(
                (row) => keyId(row.key) === keyId(k) && row.start >= start - 20 && row.start <= start + 10,
              );
              assert.deepEqual(
                near.map(rowOf),
                inReach.sort((a, b) => a.start - b.start || a.end - b.end),
              );
              assert.equal(store.firstEnd, Math.min(Infinity, ...[...model.rows.values()].map((row) => row.end)));
            });
            close(lab.store, Infinity);
            assert.equal(lab.store.size, 0);
            lab.commit();
            assert.equal(lab.changelog().size, 0, 'every closed window is deleted in the changelog');
          } finally {
            lab.end();
          }
        }),
        options,
      );
    },
  );

  test(title('a session store finds what touches, closes in order, and falls back to its last commit'), () => {
    const op = fc.tuple(
      fc.constantFrom('put', 'put', 'put', 'put', 'remove', 'touching', 'close', 'entries', ...EVENTS),
      key,
      fc.integer({ min: -20, max: 60 }),
      fc.nat(9),
    );
    fc.assert(
      fc.property(fc.array(op, { maxLength: 300, size: 'max' }), (ops) => {
        const lab = make<MemorySessionStore>({ name: 'x', kind: 'session' });
        const model = new Model<SessionRow>();
        const rowsOf = (entries: Iterable<WindowEntry>): SessionRow[] =>
          [...entries].map(({ key: k, start, end, accumulator }) => ({ key: k, start, end, n: accumulator as number }));
        const inOrder = (rows: SessionRow[]): SessionRow[] => rows.sort((a, b) => byEndAndKey(a as never, b as never));
        try {
          run(lab, ops, model, (store, [name, k, start, length]) => {
            const end = start + length;
            const id = `${start}|${end}|${keyId(k)}`;
            if (name === 'put') {
              const entry = { key: k, start, end, timestamp: end, originWatermark: end, accumulator: length };
              store.put({ ...entry, contributors: undefined });
              model.rows.set(id, { key: k, start, end, n: length });
            } else if (name === 'remove') {
              const known = store.get(k, start, end);
              if (known !== undefined) store.remove(known);
              model.rows.delete(id);
            } else if (name === 'close') {
              const closed = [...model.rows].filter(([, row]) => row.end <= start);
              assert.deepEqual(rowsOf(store.takeClosed(start)), inOrder(closed.map(([, row]) => row)));
              for (const [each] of closed) model.rows.delete(each);
            } else if (name === 'entries') {
              assert.deepEqual(inOrder(rowsOf(store.entries())), inOrder([...model.rows.values()]));
            }
            const near = [...model.rows.values()].filter(
              (row) => keyId(row.key) === keyId(k) && row.start <= end && row.end >= start,
            );
            assert.deepEqual(rowsOf(store.touching(k, start, end)), inOrder(near));
            assert.equal(store.firstEnd, Math.min(Infinity, ...[...model.rows.values()].map((row) => row.end)));
          });
          assert.deepEqual(rowsOf(lab.store.takeClosed(Infinity)), inOrder([...model.rows.values()]));
          lab.commit();
          assert.equal(lab.changelog().size, 0, 'every closed session is deleted in the changelog');
        } finally {
          lab.end();
        }
      }),
      options,
    );
  });

  test(title('a versioned store answers as of any instant, and falls back to its last commit'), () => {
    const op = fc.tuple(
      fc.constantFrom('put', 'put', 'put', 'asOf', 'asOf', 'forget', ...EVENTS),
      key,
      fc.integer({ min: -5, max: 60 }),
      fc.boolean(),
    );
    fc.assert(
      fc.property(fc.array(op, { maxLength: 300, size: 'max' }), (ops) => {
        const lab = make<MemoryVersionedStore>({ name: 'v', kind: 'versioned' });
        const model = new Model<VersionRow>();
        let offset = 0;
        const horizons = new Map<string, number>();
        const of = (k: unknown): VersionRow[] =>
          [...model.rows.values()]
            .filter((row) => row.id === keyId(k))
            .sort((a, b) => a.timestamp - b.timestamp || a.offset - b.offset);
        try {
          for (const each of ops) {
            run(lab, [each], model, (store, [name, k, at, isLate]) => {
              if (name === 'put') {
                const row = { id: keyId(k), timestamp: at, offset: offset++, originWatermark: isLate ? at + 1 : at };
                const coordinate = originCoordinate(1, 0, row.offset);
                const { timestamp, originWatermark } = row;
                store.put(k, { timestamp, originWatermark, coordinate, value: { offset: row.offset } });
                model.rows.set(String(row.offset), row);
                const versions = of(k);
                const needed = newestNeeded(versions as never, horizons);
                for (const old of versions.slice(0, Math.max(0, needed))) model.rows.delete(String(old.offset));
              } else if (name === 'forget') {
                horizons.set('r', Math.max(at, horizons.get('r') ?? -Infinity));
                store.forgetBefore('r', horizons.get('r') ?? at);
              }
              const counts = (version: { originWatermark: number; timestamp: number }): boolean =>
                !isLate || version.originWatermark <= version.timestamp;
              const expected = of(k).findLast((row) => row.timestamp <= at && counts(row));
              const found = store.asOf(k, at, counts)?.value as { offset: number } | undefined;
              assert.equal(found?.offset, expected?.offset);
            });
            if (LOSES.includes(each[0])) horizons.clear();
          }
          lab.commit();
          assert.equal(lab.changelog().size, model.rows.size);
        } finally {
          lab.end();
        }
      }),
      options,
    );
  });
}

interface SessionRow {
  readonly key: unknown;
  readonly start: number;
  readonly end: number;
  readonly n: number;
}

interface VersionRow {
  readonly id: string;
  readonly timestamp: number;
  readonly offset: number;
  readonly originWatermark: number;
}
