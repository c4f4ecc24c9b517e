import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { BatchBuilder, ConfigError, type KafkaReader, type Logger, systemClock } from '#topology';
import { FakeKafka } from '#topology/testing';
import { MAX_COPY_AGE_MS, stateSettings } from '../../../topology/runtime/slot-state.ts';
import { StandbyCopy } from '../../../topology/runtime/standby-copy.ts';
import { DiskCopy } from '../../../topology/runtime/standby-disk.ts';
import { keyId } from '../../../topology/state/key-codec.ts';
import type { MemoryKeyValueStore } from '../../../topology/state/memory-store.ts';
import { encodeValue } from '../../../topology/state/value-codec.ts';
import { placeOf, StateDisk } from '../../../topology/state/state-disk.ts';
import { randomOf } from '../../random.ts';
import { scratch } from '../state/store-labs.ts';

const STORE = 's';
const TOPIC = 'a-s-changelog';
const TP = { topic: TOPIC, partition: 0 };
const CLOCK_KEY = Buffer.from('\0stream-time');

class Lab {
  readonly broker = new FakeKafka();
  readonly client = this.broker.client();
  readonly copy = new StandbyCopy(0, [{ spec: { name: STORE, kind: 'key-value' }, topic: TOPIC }], 0);
  #reader: KafkaReader | undefined;

  async open(): Promise<void> {
    await (await this.client.admin()).ensureTopics([{ name: TOPIC, partitions: 1 }]);
    this.#reader = await this.client.reader({ committed: true });
    this.#reader.seek(TP, 'earliest');
  }

  /** A transaction of one record; `fate` is what becomes of it. */
  async write(
    key: string | Buffer,
    value: unknown,
    fate: 'committed' | 'aborted' | 'open' = 'committed',
  ): Promise<void> {
    const producer = await this.client.producer({ transactionalId: 'a-0' });
    await producer.fence();
    await producer.begin();
    const batch = new BatchBuilder();
    batch.append(
      Buffer.from(typeof key === 'string' ? keyId(key) : key),
      value === null ? null : encodeValue(value),
      0,
    );
    await producer.send([{ ...TP, batch }]);
    if (fate === 'committed') await producer.commit();
    if (fate === 'aborted') await producer.abort();
  }

  /** Reads what there is. False: the copy wants its changelog from the start. */
  async read(now: number): Promise<boolean> {
    let isApplied = true;
    for (const fetched of (await this.#reader?.poll(1)) ?? []) isApplied = this.copy.apply(fetched, now) && isApplied;
    return isApplied;
  }

  /** As a slot does that takes it; the changelog records that are left, and the clock. */
  async take(now: number): Promise<{ at: bigint; clocks: string[]; rows: Map<string, unknown> }> {
    const [range] = await (await this.client.admin()).offsets([TP], { committed: true });
    const clocks: string[] = [];
    const at = this.copy.begin(STORE, range ?? { start: 0n, end: 0n }, now, (key, value) => {
      clocks.push(`${String(key)}=${String(value)}`);
    });
    const store = this.copy.store(STORE) as MemoryKeyValueStore<string, unknown>;
    return { at, clocks, rows: new Map(store.entries()) };
  }
}

test('a copy is what was committed before its offset, whatever is aborted or open', async () => {
  const { random, seed } = randomOf('standby-copy');
  for (let round = 0; round < 30; round++) {
    const lab = new Lab();
    await lab.open();
    const committed = new Map<string, unknown>();
    for (let n = 0; n < 40; n++) {
      const key = `k${Math.floor(random() * 6)}`;
      const value = random() < 0.25 ? null : n;
      const fate = random() < 0.6 ? 'committed' : random() < 0.5 ? 'aborted' : 'open';
      await lab.write(key, value, fate);
      if (fate === 'committed' && value === null) committed.delete(key);
      else if (fate === 'committed') committed.set(key, value);
      if (random() < 0.3) await lab.read(0);
    }
    while (lab.copy.lag !== 0) await lab.read(0);
    await lab.read(0);
    const { at, rows } = await lab.take(0);
    const end = lab.broker.partition(TP).end(true);
    assert.equal(at, end, `seed ${seed}, round ${round}`);
    assert.deepEqual(rows, committed, `seed ${seed}, round ${round}`);
  }
});

test('the clock of the node is in the copy, and not in its store', async () => {
  const lab = new Lab();
  await lab.open();
  await lab.write(CLOCK_KEY, 5);
  await lab.write('k', 1);
  await lab.write(CLOCK_KEY, 7);
  await lab.read(0);
  const { clocks, rows } = await lab.take(0);
  assert.deepEqual(clocks, ['\0stream-time=7']);
  assert.deepEqual([...rows], [['k', 1]]);
});

test('a copy that does not fit its changelog is empty, and the restore begins at the start', async () => {
  const lab = new Lab();
  await lab.open();
  assert.equal((await lab.take(0)).at, 0n, 'nothing was read');
  for (const key of ['a', 'b', 'c']) await lab.write(key, 1);
  await lab.read(0);
  assert.equal(lab.copy.entries, 3);
  assert.ok(lab.copy.bytes > 0);
  const range = { start: 0n, end: 2n };
  assert.equal(
    lab.copy.begin(STORE, range, 0, () => undefined),
    0n,
    'it is ahead',
  );
  assert.equal(lab.copy.entries, 0);
  const behind = new Lab();
  await behind.open();
  await behind.write('a', 1);
  await behind.read(0);
  assert.equal(
    behind.copy.begin(STORE, { start: 9n, end: 12n }, 0, () => undefined),
    9n,
    'what it lacks is gone',
  );
  assert.equal(behind.copy.entries, 0);
});

test('a copy that has not seen the end of its changelog for long may have missed deletions: it begins anew', async () => {
  const lab = new Lab();
  await lab.open();
  await lab.write('a', 1);
  assert.equal(await lab.read(10), true);
  await lab.write('b', 1);
  assert.equal(await lab.read(11 + MAX_COPY_AGE_MS), false);
  assert.equal(lab.copy.entries, 0);
  assert.equal(lab.copy.lag, undefined);
  const old = new Lab();
  await old.open();
  await old.write('a', 1);
  await old.read(10);
  assert.equal((await old.take(11 + MAX_COPY_AGE_MS)).at, 0n);
  assert.equal(old.copy.entries, 0);
});

class DiskLab {
  readonly root = scratch();
  readonly lab = new Lab();
  readonly settings = stateSettings({ app: 'a', stages: [] }, { directory: this.root, budgetBytes: 32 * 2 ** 20 });
  readonly identity = { app: 'a', epoch: 'e', partition: 0 };
  readonly #logger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

  async open(): Promise<DiskCopy> {
    return await DiskCopy.open({
      slot: 0,
      stores: [{ spec: { name: STORE, kind: 'key-value' }, topic: TOPIC }],
      settings: this.settings,
      identity: this.identity,
      admin: await this.lab.client.admin(),
      clock: systemClock,
      logger: this.#logger,
      signal: new AbortController().signal,
    });
  }

  async fill(copy: DiskCopy): Promise<void> {
    const reader = await this.lab.client.reader({ committed: true });
    reader.seek(TP, copy.startOf(TOPIC));
    while (copy.lag !== 0) for (const fetched of await reader.poll(1)) copy.apply(fetched, systemClock.now());
    await reader.close();
  }

  /** What whoever takes the slot finds. */
  found(): { readonly offset: bigint | undefined; readonly keys: number } {
    const disk = StateDisk.open(join(this.settings.directory, '0'), this.identity, (reason) => assert.fail(reason));
    const found = { offset: disk.checkpoint(STORE)?.offset, keys: disk.table(STORE).count() };
    disk.close(false);
    return found;
  }
}

test('a copy on disk is the file that the slot finds: what was committed, at its offset; it goes on where it ended', async (t) => {
  const disk = new DiskLab();
  t.after(() => rmSync(disk.root, { recursive: true, force: true }));
  const { lab } = disk;
  await lab.open();
  for (const key of ['a', 'b', 'c']) await lab.write(key, 1);
  await lab.write('d', 1, 'aborted');
  await lab.write('b', null);
  await lab.write('e', 1, 'open');
  const copy = await disk.open();
  assert.equal(copy.lag, undefined);
  await disk.fill(copy);
  assert.ok(copy.bytes > 0, 'what waits is in memory, and counts');
  const end = lab.broker.partition(TP).end(true);
  copy.close();
  assert.equal(disk.settings.budget.used, 0);
  assert.deepEqual(disk.found(), { offset: end, keys: 2 });
  await lab.write('f', 1);
  const again = await disk.open();
  assert.equal(again.startOf(TOPIC), end);
  await disk.fill(again);
  again.restart(TOPIC, 0);
  assert.equal(again.startOf(TOPIC), 'earliest');
  assert.equal(again.lag, undefined);
  again.close();
  assert.deepEqual(disk.found(), { offset: undefined, keys: 0 });
});

test('a directory has a name of its own, the same for all who use it', (t) => {
  const root = scratch();
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const name = placeOf(join(root, 'one'));
  assert.equal(placeOf(join(root, 'one')), name);
  assert.notEqual(placeOf(join(root, 'two')), name);
  writeFileSync(join(root, 'file'), '');
  assert.throws(
    () => placeOf(join(root, 'file')),
    (error) => error instanceof ConfigError && error.code === 'SLC_STATE_DISK',
  );
});
