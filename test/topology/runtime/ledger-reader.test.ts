import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { type KafkaClient, systemClock, TaskCorruptedError } from '#topology';
import { FakeKafka } from '#topology/testing';
import { LedgerReader } from '../../../topology/runtime/ledger-reader.ts';

test('a ledger that cannot be read is told, never a silent end', async () => {
  const damaged = new TaskCorruptedError('SLC_TASK_UNREADABLE', 'a.watermarks-0 cannot be read');
  const real = new FakeKafka().client();
  const client: KafkaClient = {
    admin: () => real.admin(),
    producer: (options) => real.producer(options),
    join: (options) => real.join(options),
    close: () => real.close(),
    reader: async (options) => {
      const reader = await real.reader(options);
      reader.poll = () => Promise.reject(damaged);
      return reader;
    },
  };
  const ledger = new LedgerReader(client, 'a', systemClock, pino({ level: 'silent' }));
  const told = await new Promise<Error>((resolve) => ledger.start(resolve));
  assert.equal(told, damaged);
  await ledger.stop();
});
