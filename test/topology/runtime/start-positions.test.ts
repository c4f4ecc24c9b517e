import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KafkaAdmin } from '#topology';
import { startPositions } from '../../../topology/runtime/start-positions.ts';

type Answer = { readonly end: bigint; readonly committed: bigint };

/** Where a slot begins, when Kafka answers these in turn; the last one again and again. */
async function positionOf(answers: readonly Answer[]): Promise<bigint | undefined> {
  let asked = 0;
  const next = (): Answer => answers[Math.min(asked, answers.length - 1)] ?? assert.fail();
  const admin = {
    offsets: () => Promise.resolve([{ start: 0n, end: next().end }]),
    committedOffsets: () => {
      const { committed } = next();
      asked++;
      return Promise.resolve([{ topic: 'events', partition: 2, offset: committed, metadata: null }]);
    },
  } as unknown as KafkaAdmin;
  const wiring = {
    topology: { subTopologies: [{ partitions: 3, sources: [{ topic: { name: 'events' } }] }] },
  } as unknown as Parameters<typeof startPositions>[0]['wiring'];
  return (await startPositions({ app: 'a', admin, wiring, feed: undefined }, 2)).get('events')?.offset;
}

const LOST = { code: 'SLC_TASK_OFFSET_OUT_OF_RANGE' };

describe('start positions', () => {
  test('the committed one', async () => {
    assert.equal(await positionOf([{ end: 40n, committed: 38n }]), 38n);
  });

  test('a process that stood still while another one committed asks again', async () => {
    const stale = { end: 32n, committed: 38n };
    assert.equal(await positionOf([stale, { end: 40n, committed: 38n }]), 38n);
    assert.equal(await positionOf([stale, { end: 40n, committed: 45n }, { end: 50n, committed: 45n }]), 45n);
  });

  test('a position behind the end of the log stays an error', async () => {
    await assert.rejects(positionOf([{ end: 32n, committed: 38n }]), LOST);
  });
});
