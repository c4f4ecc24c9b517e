import { BatchBuilder } from '../record-batch.ts';
import type { LedgerBytes } from '../time/ledger-records.ts';
import type { ReadyBatch } from './kafka-client.ts';
import { ledgerTopicOf } from './ledger-reader.ts';

/** Ledger records as what a transaction sends; `now` in ms. */
export function ledgerBatches(app: string, records: readonly LedgerBytes[], now: number): ReadyBatch[] {
  const batch = new BatchBuilder();
  for (const { key, value } of records) batch.append(key, value, now);
  return [{ topic: ledgerTopicOf(app), partition: 0, batch }];
}
