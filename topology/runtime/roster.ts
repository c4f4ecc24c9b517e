/** The application's entry in its ledger: topic numbers, which never change, and the epoch of its topology. */
import type { Clock } from '../clock.ts';
import { BatchBuilder } from '../record-batch.ts';
import { encodeRoster } from '../time/ledger-records.ts';
import type { KafkaAdmin, KafkaClient } from './kafka-client.ts';
import { ledgerTopicOf, type LedgerReader } from './ledger-reader.ts';

/**
 * Brings the roster up to date: names that are new are added at its end, in one transaction fenced by `<app>-roster`, so that two processes that
 * start together agree. Returns the list of names; a name's number is its place in it.
 */
export async function updateRoster(options: {
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  readonly ledger: LedgerReader;
  readonly clock: Clock;
  readonly app: string;
  readonly epoch: string;
  readonly names: readonly string[];
}): Promise<readonly string[]> {
  const { client, admin, ledger, clock, app, epoch, names } = options;
  const producer = await client.producer({ transactionalId: `${app}-roster`, transactionTimeoutMs: 15_000 });
  try {
    await producer.fence();
    const topic = ledgerTopicOf(app);
    const [end] = await admin.offsets([{ topic, partition: 0 }], { committed: true });
    await ledger.caughtUp(end?.end ?? 0n);
    const known = ledger.roster?.topics ?? [];
    const added = names.filter((name) => !known.includes(name));
    if (added.length === 0 && ledger.roster?.epoch === epoch) return known;
    const topics = [...known, ...added];
    const record = encodeRoster({ app, topics, epoch });
    const batch = new BatchBuilder();
    batch.append(record.key, record.value, clock.now());
    await producer.begin();
    await producer.send([{ topic, partition: 0, batch }]);
    await producer.commit();
    return topics;
  } finally {
    await producer.close();
  }
}
