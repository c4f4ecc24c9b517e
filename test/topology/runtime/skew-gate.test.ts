/** Who waits for partitions of other processes, of which only Kafka knows (rule 14 of docs/TIME.md). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  BatchBuilder,
  buildTopology,
  type CommittedOffset,
  type KafkaAdmin,
  RetriableError,
  stage,
  type Stage,
  type TopicPartition,
  textSerde,
} from '#topology';
import { MemoryLog, VirtualClock } from '#topology/testing';
import type { ReplayFeed } from '../../../topology/runtime/replay-feed.ts';
import { SkewGate, type SkewMember } from '../../../topology/runtime/skew-gate.ts';
import { SlotInput } from '../../../topology/runtime/slot-input.ts';
import { derived, origin } from '../dsl/support.ts';

const CLOCK = { outOfOrdernessMs: 5, maxAheadMs: Infinity, receivedAt: undefined, isSnapshot: undefined };
const MAX_SKEW_MS = 100;
const IDLE_MS = 60_000;
const clicks = origin<string>('clicks', 2, {}, '5ms');
const views = origin<string>('views', 2, {}, '5ms');
const viewed = stage('viewed', (s) => s.stream(views).to(derived<string>('seen', 2)));
const copy = stage('copy', (s) => s.stream(clicks).to(derived<string>('copies', 2)));
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Partition 0 is here, partition 1 elsewhere. */
class Two {
  readonly clock = new VirtualClock(1_000_000);
  readonly input: SlotInput;
  readonly slot: NonNullable<SkewMember['slot']>;
  readonly gate: SkewGate;
  readonly #log = new MemoryLog();
  asked = 0;
  woken = 0;
  isAway = false;
  /** Of partition 1: where it ends, and what is committed. */
  end = 10n;
  committed: CommittedOffset[] = [];

  constructor(feed?: ReplayFeed, stages: readonly Stage[] = [copy]) {
    const source = { name: clicks.name, number: 0, keySerde: textSerde, valueSerde: textSerde, writers: [] };
    const input = new SlotInput({ ...source, origin: CLOCK }, 0, 0n, -Infinity);
    this.input = input;
    this.slot = {
      inputs: [input],
      get hasRecords() {
        return input.hasRecord && !input.isAhead;
      },
      get waits() {
        return input.hasRecord && input.isAhead;
      },
    };
    this.gate = new SkewGate({
      app: 'test',
      topology: buildTopology(stages, { app: 'test' }),
      admin: {
        offsets: (of: TopicPartition[]) => this.#offsets(of),
        committedOffsets: (_: string, of: TopicPartition[]) => this.#held(of),
      } as unknown as KafkaAdmin,
      clock: this.clock,
      logger: silent,
      feed,
      maxSkewMs: MAX_SKEW_MS,
      idleAfterMs: IDLE_MS,
    });
    this.gate.join({ slot: this.slot, wake: () => this.woken++ });
  }

  commit(offset: bigint, metadata: object): void {
    this.committed = [{ topic: clicks.name, partition: 1, offset, metadata: JSON.stringify(metadata) }];
  }

  /** The next record of partition 0. */
  feed(timestamp: number): void {
    const batch = new BatchBuilder();
    batch.append(Buffer.from('k'), Buffer.from('v'), timestamp);
    const offset = this.#log.append(batch);
    const batches = this.#log.from(offset, 1);
    this.input.enqueue({ ...this.input.tp, batches, nextOffset: offset + 1n, endOffset: offset + 1n, bytes: 1 });
  }

  /** As a slot does it: true when the record has been processed. */
  async step(): Promise<boolean> {
    this.gate.admit(this.slot);
    await this.clock.pass(60);
    if (!this.slot.hasRecords) return false;
    this.input.clock?.observe(this.input.cursor.timestamp);
    this.input.moveOn();
    return true;
  }

  async #offsets(of: readonly TopicPartition[]): Promise<{ start: bigint; end: bigint }[]> {
    this.asked++;
    if (this.isAway) throw new RetriableError('SLC_BROKER_AWAY', 'away');
    return of.map(() => ({ start: 0n, end: this.end }));
  }

  async #held(of: readonly TopicPartition[]): Promise<CommittedOffset[]> {
    assert.ok(of.every(({ topic, partition }) => topic !== clicks.name || partition === 1));
    return this.committed;
  }
}

describe('a partition of another process', () => {
  test('is waited for while it has unread records and is further behind than that', async () => {
    const two = new Two();
    two.commit(4n, { w: 1_000 });
    for (const timestamp of [1_050, 1_106, 1_107]) two.feed(timestamp);
    assert.equal(await two.step(), true);
    assert.equal(await two.step(), true, 'it may go 100 ms ahead, and one record beyond');
    assert.equal(await two.step(), false);
    assert.deepEqual(two.gate.waits(), [{ topic: 'clicks', partition: 0, waitsFor: 1, aheadMs: 101 }]);
    const { woken } = two;
    two.commit(5n, { w: 1_002 });
    assert.equal(await two.step(), true);
    assert.ok(two.woken > woken, 'it is told when that has moved');
    assert.deepEqual(two.gate.waits(), []);
  });

  test('is as far as its next record, when that is known', async () => {
    const two = new Two();
    two.commit(4n, { w: 1_000, next: 5_000 });
    for (const timestamp of [2_000, 4_000]) two.feed(timestamp);
    await two.step();
    assert.equal(await two.step(), true);
  });

  test('without unread records it is not waited for, nor at the frozen end of a replay', async () => {
    for (const feed of [undefined, { rangeOf: () => ({ offset: 0n, clock: 0, end: 4n }) } as unknown as ReplayFeed]) {
      const two = new Two(feed);
      two.end = feed === undefined ? 4n : 10n;
      two.commit(4n, { w: 1_000 });
      for (const timestamp of [9_000, 19_000, 29_000]) two.feed(timestamp);
      await two.step();
      await two.step();
      assert.equal(two.input.position >= 2n || (await two.step()), true);
    }
  });

  test('before it has committed anything it is at its start', async () => {
    const two = new Two();
    two.feed(9_000);
    two.feed(9_001);
    assert.equal(await two.step(), true, 'who has read nothing is behind nobody');
    assert.equal(await two.step(), false);
    two.commit(10n, { w: 9_000 });
    assert.equal(await two.step(), true);
  });

  test('is not asked for as long as nobody comes to the end of what is known', async () => {
    const two = new Two();
    two.end = 0n;
    for (let timestamp = 1_000; timestamp < 1_090; timestamp += 10) two.feed(timestamp);
    while (two.input.hasRecord) await two.step();
    assert.equal(two.asked, 1);
  });

  test('that hangs is waited for during a minute; one that cannot be asked for holds nobody', async () => {
    const two = new Two();
    two.commit(4n, { w: 1_000 });
    two.feed(9_000);
    two.feed(9_001);
    await two.step();
    const begun = two.clock.now();
    while (!(await two.step())) assert.ok(two.clock.now() < begun + 2 * IDLE_MS);
    assert.ok(two.clock.now() >= begun + IDLE_MS - 1_000);
    two.isAway = true;
    two.feed(19_000);
    two.feed(29_000);
    for (let n = 0; n < 4; n++) await two.step();
    assert.equal(two.input.hasRecord, false);
  });

  test('whose slot goes on in another topic does not hang', async () => {
    const two = new Two(undefined, [copy, viewed]);
    const at = (offset: bigint): CommittedOffset => ({ topic: views.name, partition: 1, offset, metadata: null });
    two.commit(4n, { w: 1_000 });
    two.end = 1_000_000n;
    two.feed(9_000);
    two.feed(9_001);
    await two.step();
    const { committed } = two;
    for (let n = 0n; n < 2_000n; n++) {
      two.committed = [...committed, at(n)];
      assert.equal(await two.step(), false);
    }
    assert.ok(two.clock.now() > 1_000_000 + 100_000);
  });
});
