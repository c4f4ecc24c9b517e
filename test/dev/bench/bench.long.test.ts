/** R2 on the small data set: the engine as it is measured gives the right counts. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createKafkaClient } from '#topology';
import { loadInputs } from '../../../dev/bench/load.ts';
import { measure } from '../../../dev/bench/measure.ts';
import { DATASETS } from '../../../dev/bench/workload.ts';

const kafka = process.env['SLUICE_TEST_KAFKA'];
const root = join(import.meta.dirname, '../../..');

test('R2 small: the checksum is right', { timeout: 180_000, skip: process.platform !== 'linux' }, async (t) => {
  assert.ok(kafka, 'SLUICE_TEST_KAFKA is not set: npm test starts the servers');
  const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const client = createKafkaClient({ brokers: [kafka], clientId: 'bench-test', logger });
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  t.after(async () => {
    await client.close();
    await rm(folder, { recursive: true, force: true });
  });
  const prefix = `bench-${Math.random().toString(36).slice(2, 8)}`;
  const names = { pageviews: `${prefix}.pageviews`, items: `${prefix}.items` };
  await loadInputs(client, DATASETS.small.records, names);
  const { checksum } = await measure({
    client,
    engine: 'sluice',
    command: [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      join(root, 'bin/main.ts'),
      'bench',
      '--engine',
    ],
    env: { BOOTSTRAP: kafka, INPUT: names.pageviews, WORKLOAD: 'r1' },
    workers: 1,
    kind: 'counts',
    expected: DATASETS.small.counts,
    brokerPid: 0,
    folder,
    signal: t.signal,
  });
  assert.equal(checksum, DATASETS.small.counts);
});
