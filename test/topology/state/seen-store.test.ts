/** The store of dedupe() beside plain lists of times: the same answers and the same changelog, whatever is added, forgotten and restored. */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'node:test';
import { MemorySeenStore } from '../../../topology/state/seen-store.ts';
import { random } from '#topology/testing';

const SEED = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 100_000));
const hashOf = (id: string): string => hash('sha256', id, 'hex').slice(0, 32);

/** What was written, by key; compacted. */
type Changelog = Map<string, { key: Uint8Array; value: Uint8Array | null }>;

function commit(store: MemorySeenStore, changelog: Changelog): void {
  for (const { key, value } of store.takeChanges())
    changelog.set(Buffer.from(key).toString('hex'), { key, value: value === null ? null : Buffer.from(value) });
}

/** The times of each identity by its hash, as the changelog has them. */
const heldBy = (changelog: Changelog): [string, unknown][] =>
  [...changelog]
    .flatMap(([key, { value }]): [string, unknown][] =>
      value === null ? [] : [[key, JSON.parse(Buffer.from(value).toString())]],
    )
    .sort(([a], [b]) => (a < b ? -1 : 1));

describe('seen store', () => {
  test('random sightings: near, forgotten and restored as lists of times would be', () => {
    for (let seed = SEED; seed < SEED + 40; seed++) {
      const g = random(seed);
      let store = new MemorySeenStore('seen');
      const model = new Map<string, number[]>();
      const changelog: Changelog = new Map();
      const ids = g.int(1, 400);
      for (let step = 0, clock = 0; step < 1_500; step++) {
        clock += g.int(0, 5);
        const [id, time] = [`id-${g.int(1, ids)}`, clock - g.int(0, 60)];
        const within = g.int(0, 30);
        const isNear = (model.get(id) ?? []).some((seen) => Math.abs(seen - time) <= within);
        assert.equal(store.near(id, time, within), isNear, `SLUICE_SEED=${seed} step ${step}`);
        if (!isNear) {
          store.add(id, time);
          model.set(id, [...(model.get(id) ?? []), time]);
        }
        if (g.int(1, 8) === 1) {
          const horizon = clock - g.int(0, 300);
          store.forgetBefore(horizon);
          for (const [each, times] of model) model.set(each, times.filter((seen) => seen >= horizon)); // prettier-ignore
        }
        assert.equal(store.size, [...model.values()].flat().length, `SLUICE_SEED=${seed} step ${step}`);
        if (g.int(1, 20) === 1) commit(store, changelog);
        if (g.int(1, 300) === 1) {
          commit(store, changelog);
          store = new MemorySeenStore('seen');
          for (const { key, value } of changelog.values()) store.restore(key, value);
        }
      }
      commit(store, changelog);
      const wanted = [...model].filter(([, times]) => times.length > 0);
      assert.deepEqual(
        heldBy(changelog),
        wanted
          .map(([id, times]): [string, unknown] => [hashOf(id), times.toSorted((a, b) => a - b)])
          .sort(([a], [b]) => (a < b ? -1 : 1)),
        `SLUICE_SEED=${seed}`,
      );
    }
  });

  test('a restore takes the last of several records of an identity, and forgets what it replaced', () => {
    const written = new MemorySeenStore('seen');
    const log: [Uint8Array, Uint8Array | null][] = [];
    const write = (): void => void log.push(...written.takeChanges().map(({ key, value }) => [key, value] as [Uint8Array, Uint8Array | null])); // prettier-ignore
    written.add('a', 5);
    write();
    written.add('a', 500);
    write();
    written.forgetBefore(100);
    write();
    const store = new MemorySeenStore('seen');
    for (const [key, value] of log) store.restore(key, value);
    assert.equal(store.size, 1);
    assert.deepEqual([store.near('a', 5, 0), store.near('a', 500, 0)], [false, true]);
    store.forgetBefore(501);
    assert.equal(store.size, 0);
    assert.deepEqual(
      store.takeChanges().map(({ value }) => value),
      [null],
    );
  });
});
