/** What the benchmark of late records makes of sums, and what it does not believe. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchBuilder } from '#topology';
import { FakeKafka } from '#topology/testing';
import { expectedCounts } from '../../../dev/bench/expected.ts';
import { hasReadAll } from '../../../dev/bench/late.ts';
import { droppedIn, isAccountedFor, type LateRun, lateTable, sharesOf, sumOf } from '../../../dev/bench/late-report.ts';
import { checksumOfCounts, DATASETS } from '../../../dev/bench/workload.ts';

const RUN: LateRun = {
  engine: 'sluice',
  kept: 1_000,
  dropped: undefined,
  right: true,
  wallSeconds: 1,
  load: [0, 0],
  log: '',
};
const MACHINE = { cpu: 'a', cores: 2, memoryGb: 4, node: 'v24' };

const tableOf = (...runs: readonly LateRun[]): string =>
  lateTable({
    machine: MACHINE,
    at: '',
    records: 1,
    counts: 1_000,
    kept: sharesOf(runs, 1_000),
    checksumOk: runs.every(({ right }) => right),
    runs,
  });

test('the counts kept are the sum in a checksum', () => {
  assert.equal(
    sumOf(
      checksumOfCounts(
        new Map([
          ['a', 3],
          ['b', 4],
        ]),
      ),
    ),
    7,
  );
  assert.ok(Number.isNaN(sumOf('')));
});

test('what the peer dropped is what it says as it stops', () => {
  assert.equal(droppedIn('[main] WARN something\ndropped-records-total 4426162\nmore\n'), 4_426_162);
  assert.equal(droppedIn('it was killed: dropped-records-total is unknown'), undefined);
});

test("the peer's loss is reported only when what it kept and dropped is all there was", () => {
  const { counts, updates } = expectedCounts(DATASETS.small);
  assert.equal(isAccountedFor(229_067, updates - 229_067, updates), true);
  assert.equal(isAccountedFor(229_067, updates - 229_067 - 1, updates), false, 'some output is not there yet');
  assert.equal(isAccountedFor(counts, undefined, updates), false, 'it says nothing');
});

test('shares are of all that is to be counted, and all is said of all only', () => {
  const peer: LateRun = { ...RUN, engine: 'kafka-streams', kept: 290, dropped: 710 };
  const runs = [peer, RUN, { ...peer, kept: 440, dropped: 560 }, RUN];
  const shares = sharesOf(runs, 1_000);
  assert.deepEqual(shares['kafka-streams'], { median: 0.365, min: 0.29, max: 0.44 });
  assert.deepEqual(shares['sluice'], { median: 1, min: 1, max: 1 });
  assert.match(tableOf(...runs), /^\| kafka-streams \| 2 \| 365 \| 36\.50 % \(29\.00 %-44\.00 %\) /m);
  const few = lateTable({
    machine: MACHINE,
    at: '',
    records: 1,
    counts: 1e6,
    checksumOk: true,
    runs: [{ ...RUN, kept: 1e6 - 1 }],
    kept: sharesOf([{ ...RUN, kept: 1e6 - 1 }], 1e6),
  });
  assert.match(few, /99\.99 %/);
  assert.doesNotMatch(few, /100\.00 %/);
});

test('a run that is not right is told in the table', () => {
  assert.match(tableOf(RUN), /\| right \|$/m);
  assert.match(tableOf(RUN, { ...RUN, right: false }), /\| WRONG \|$/m);
});

test('the peer has read all when its positions are at the end of its input and of its repartition topic', async () => {
  const client = new FakeKafka().client();
  const admin = await client.admin();
  const producer = await client.producer({ transactionalId: 't' });
  const topics = ['bench.pageviews', 'app-by-item-repartition'] as const;
  const commit = async (topic: string, offset: bigint): Promise<void> => {
    await producer.begin();
    await producer.sendOffsets('app', [{ topic, partition: 3, offset, metadata: null }]);
    await producer.commit();
  };
  await admin.ensureTopics(topics.slice(0, 1).map((name) => ({ name, partitions: 6 })));
  await producer.fence();
  assert.equal(await hasReadAll(admin, 'app'), false, 'it has no repartition topic yet');
  await admin.ensureTopics(topics.map((name) => ({ name, partitions: 6 })));
  const plain = await client.producer();
  for (const topic of topics) {
    const batch = new BatchBuilder();
    for (let n = 0; n < 2; n++) batch.append(null, Buffer.from('v'), 1);
    await plain.send([{ topic, partition: 3, batch }]);
  }
  assert.equal(await hasReadAll(admin, 'app'), false);
  await commit(topics[0], 2n);
  await commit(topics[1], 1n);
  assert.equal(await hasReadAll(admin, 'app'), false);
  await commit(topics[1], 2n);
  assert.equal(await hasReadAll(admin, 'app'), true);
  await client.close();
});
