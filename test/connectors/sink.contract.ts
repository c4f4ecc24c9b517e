/** What every sink must hold (topology/connector.ts). Run over each real target: `sinkContract('PostgreSQL', harness)`. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Sink, type SinkPartition, type SinkRecord, SinkRecordError, TaskMigratedError } from '#topology';

/** What the suite needs of a target. */
export interface SinkHarness {
  readonly topic: string;
  /** Another owner, as another process would be: its claims fence those of the others. */
  makeSink(): Sink;
  /** A record that the target can hold. */
  record(offset: bigint, key: string, n: number): SinkRecord;
  /** A record that it never can. */
  poison(offset: bigint, key: string): SinkRecord;
  /** n of the newest row per key. */
  rows(): Promise<Map<string, number>>;
  /**
   * Offsets of all row writes ever committed, in order, those that changed nothing too: shows what was written twice. Of a target that merges: by
   * offset, each that is there once.
   */
  history(): Promise<bigint[]>;
  /**
   * The target keeps no position and merges by identity what it gets again ('exactly' is the default). Rows are there before the position moves, so those
   * behind it may be there, and are written again.
   */
  readonly delivery?: 'exactly' | 'merged';
  /** Whether a record without value deletes its row (true). */
  readonly deletes?: boolean;
  close(): Promise<void>;
}

/** A small generator of the same numbers for the same seed. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The seed of this run: SLUICE_SEED, else a new one; printed. */
export function seedOf(what: string): number {
  const seed = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`# ${what}: SLUICE_SEED=${seed}`);
  return seed;
}

const range = (from: number, to: number): bigint[] => Array.from({ length: to - from }, (_, i) => BigInt(from + i));

export function sinkContract(name: string, start: () => Promise<SinkHarness>): void {
  describe(`${name} keeps the contract of a sink`, () => {
    let harness: SinkHarness;
    let sink: Sink;
    /** Every test has a partition, so a position, of its own. */
    let partition = 0;
    const batch = (from: number, to: number, key = (n: number) => `p${partition}-k${n}`): SinkRecord[] =>
      range(from, to).map((offset) => harness.record(offset, key(Number(offset)), Number(offset)));
    const written = async (since: number): Promise<bigint[]> => (await harness.history()).slice(since);
    /** What was written is all up to the position; of a target that merges, what follows it is less than a batch that will be written again. */
    const assertWritten = async (since: number, position: number, batchSize: number): Promise<void> => {
      const all = await written(since);
      const after = all.filter((offset) => offset >= BigInt(position));
      if (harness.delivery === 'merged') assert.ok(after.length <= batchSize, `${after.length} behind the position`);
      const rest = harness.delivery === 'merged' ? all.slice(0, all.length - after.length) : all;
      assert.deepEqual(rest, range(0, position));
    };
    const claim = (owner: Sink = sink): Promise<SinkPartition> => owner.claim(harness.topic, partition);

    before(async () => {
      harness = await start();
      sink = harness.makeSink();
      await sink.open();
      await sink.open();
    });
    after(async () => {
      await sink?.close();
      await harness?.close();
    });
    const check = (what: string, body: (since: number) => Promise<void>): void => {
      test(what, async () => {
        partition += 1;
        await body((await harness.history()).length);
      });
    };

    check('a new partition has no position; a claim resumes where the last write ended', async () => {
      const first = await claim();
      assert.equal(first.nextOffset, null);
      await first.write(batch(5, 9), 12n);
      assert.equal(first.nextOffset, 12n);
      assert.equal((await claim(harness.makeSink())).nextOffset, 12n);
    });

    check('the newest record of a key wins within a batch and over batches; a tombstone deletes', async () => {
      const held = await claim();
      const prefix = `p${partition}-`;
      const tombstone = { ...harness.record(4n, `${prefix}b`, 0), value: null };
      await held.write([...batch(0, 4, (n) => `${prefix}${'abab'[n]}`), tombstone], 5n);
      assert.equal((await harness.rows()).get(`${prefix}a`), 2);
      if (harness.deletes !== false) assert.equal((await harness.rows()).has(`${prefix}b`), false);
      await held.write([harness.record(5n, `${prefix}a`, 50), harness.record(6n, `${prefix}b`, 60)], 7n);
      assert.equal((await harness.rows()).get(`${prefix}a`), 50);
      assert.equal((await harness.rows()).get(`${prefix}b`), 60);
    });

    check('an empty write moves the position only', async (since) => {
      const held = await claim();
      await held.write([], 40n);
      await held.write([], 40n);
      assert.equal((await claim()).nextOffset, 40n);
      assert.deepEqual(await written(since), []);
    });

    check('what was written is refused the second time, and a position never goes back', async (since) => {
      const held = await claim();
      await held.write(batch(0, 10), 10n);
      await assert.rejects(held.write(batch(0, 10), 10n));
      await assert.rejects(held.write([], 9n));
      await assert.rejects(held.write(batch(10, 12), 11n));
      assert.deepEqual(await written(since), range(0, 10));
      assert.equal((await claim()).nextOffset, 10n);
    });

    check('a former owner is fenced from the moment of the claim, and nothing of its write stays', async (since) => {
      const zombie = await claim();
      await zombie.write(batch(0, 3), 3n);
      const owner = await claim(harness.makeSink());
      await assert.rejects(zombie.write(batch(3, 8), 8n), TaskMigratedError);
      await owner.write(batch(3, 6), 6n);
      await assert.rejects(zombie.write(batch(3, 6), 6n), TaskMigratedError);
      await assert.rejects(zombie.write([], 20n), TaskMigratedError);
      assert.deepEqual(await written(since), range(0, 6));
      assert.equal(owner.nextOffset, 6n);
    });

    check(
      'a record that cannot be written is named, nothing is written, and the batch goes in without it',
      async (since) => {
        const held = await claim();
        const records = batch(0, 50).map((record) =>
          record.offset === 7n || record.offset === 31n ? harness.poison(record.offset, String(record.key)) : record,
        );
        let rest = records;
        const refused: bigint[] = [];
        for (;;) {
          try {
            await held.write(rest, 50n);
            break;
          } catch (error) {
            assert.ok(error instanceof SinkRecordError, String(error));
            if (harness.delivery !== 'merged') assert.deepEqual(await written(since), []);
            assert.equal(held.nextOffset, null);
            const offsets = new Set(error.rejected.map((each) => each.offset));
            refused.push(...offsets);
            rest = rest.filter((record) => !offsets.has(record.offset));
          }
        }
        assert.deepEqual(refused, [7n, 31n]);
        assert.deepEqual(
          await written(since),
          range(0, 50).filter((offset) => offset !== 7n && offset !== 31n),
        );
        assert.equal((await claim()).nextOffset, 50n);
      },
    );

    check('a claim during a write of the former owner resumes behind it or fences it', async (since) => {
      let owner = await claim();
      let position = 0;
      for (let round = 0; round < 12; round += 1) {
        const writing = owner.write(batch(position, position + 200), BigInt(position + 200)).catch((error: unknown) => {
          assert.ok(error instanceof TaskMigratedError, String(error));
        });
        const next = await claim(round % 2 === 0 ? sink : harness.makeSink());
        await writing;
        position = Number(next.nextOffset ?? 0n);
        assert.ok(position % 200 === 0);
        owner = next;
      }
      await assertWritten(since, position, 200);
    });

    check('owners that fight over a partition write every record once', async (since) => {
      const seed = seedOf('storm of owners');
      const next = random(seed);
      const owners = await Promise.all([1, 2, 3].map(() => claim(harness.makeSink())));
      const sinks = owners.map(() => harness.makeSink());
      let fenced = 0;
      await Promise.all(
        owners.map(async (_, me) => {
          let held = await claim(sinks[me]);
          for (let turn = 0; turn < 30; turn += 1) {
            const from = Number(held.nextOffset ?? 0n);
            const to = from + 1 + Math.floor(next() * 9);
            try {
              await held.write(batch(from, to), BigInt(to));
            } catch (error) {
              assert.ok(error instanceof TaskMigratedError, String(error));
              fenced += 1;
              held = await claim(sinks[me]);
            }
            if (next() < 0.2) held = await claim(sinks[me]);
          }
        }),
      );
      const end = (await claim()).nextOffset ?? 0n;
      assert.ok(fenced > 5, `only ${fenced} fenced: the owners did not fight`);
      // Three owners, each with a batch whose position was refused.
      await assertWritten(since, Number(end), 3 * 9);
    });
  });
}
