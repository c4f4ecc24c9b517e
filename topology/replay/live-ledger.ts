/** Reads an application's ledger once, from its start to an end that is known: its pins, its newest promises, its roster. */
import type { Clock } from '../clock.ts';
import { applicationsOf } from '../dsl/parts.ts';
import type { Topology } from '../dsl/topology.ts';
import { RetriableError } from '../errors.ts';
import { RecordCursor } from '../record-batch.ts';
import type { KafkaAdmin, KafkaClient } from '../runtime/kafka-client.ts';
import { ledgerTopicOf } from '../runtime/ledger-reader.ts';
import { parseLedgerRecord, type Pin, type Roster, type WriterPromise } from '../time/ledger-records.ts';

/** What a ledger says up to an offset. */
export interface LedgerView {
  readonly end: bigint;
  /** The largest of each partition and offset. */
  readonly pins: readonly Pin[];
  /** The newest by `writer|topic`. */
  readonly promises: ReadonlyMap<string, WriterPromise>;
  readonly roster: Roster | undefined;
}

/** Transactions that are open at the end end within this, ms. */
const DEADLINE_MS = 60_000;
const POLL_MS = 250;

/**
 * Everything committed before the ledger's present end, transactions that are open now included when they commit. An application without a
 * ledger has said nothing. RetriableError SLC_BROKER_AWAY when a transaction stays open for a minute.
 */
export async function readLedger(
  client: KafkaClient,
  admin: KafkaAdmin,
  app: string,
  clock: Clock,
): Promise<LedgerView> {
  const ledger = { topic: ledgerTopicOf(app), partition: 0 };
  const pins = new Map<string, Pin>();
  const promises = new Map<string, WriterPromise>();
  let roster: Roster | undefined;
  if (!(await admin.partitionCounts([ledger.topic])).has(ledger.topic)) return { end: 0n, pins: [], promises, roster };
  const [range] = await admin.offsets([ledger], { committed: false });
  const { start = 0n, end = 0n } = range ?? {};
  const reader = await client.reader({ committed: true });
  const cursor = new RecordCursor();
  const until = clock.now() + DEADLINE_MS;
  try {
    reader.seek(ledger, start);
    for (let position = start; position < end;) {
      if (clock.now() > until)
        throw new RetriableError('SLC_BROKER_AWAY', `${ledger.topic} could not be read to ${end}, only to ${position}`);
      for (const fetched of await reader.poll(POLL_MS)) {
        for (const batch of fetched.batches) {
          cursor.open(batch);
          while (cursor.next() && BigInt(cursor.offset) < end) {
            const record = parseLedgerRecord(cursor.keyBytes(), cursor.valueBytes());
            if (record?.kind === 'roster') roster = record;
            if (record?.kind === 'promise') promises.set(`${record.writer}|${record.topic}`, record);
            if (record?.kind === 'pin') pins.set(`${record.topic}|${record.partition}|${record.at}`, record);
          }
        }
        position = fetched.nextOffset;
      }
    }
  } finally {
    await reader.close();
  }
  return { end, pins: [...pins.values()], promises, roster };
}

/**
 * The ledgers of all applications of a project as one: a partition is pinned, and a topic promised, by one of them. `end` and `roster` are those of the
 * project's own, which numbers the names of all.
 */
export async function readLedgers(
  client: KafkaClient,
  admin: KafkaAdmin,
  project: Pick<Topology, 'base' | 'owners'>,
  clock: Clock,
): Promise<LedgerView> {
  const views: LedgerView[] = [];
  for (const app of applicationsOf(project)) views.push(await readLedger(client, admin, app, clock));
  return {
    end: views[0]?.end ?? 0n,
    pins: views.flatMap(({ pins }) => pins),
    promises: new Map(views.flatMap(({ promises }) => [...promises])),
    roster: views[0]?.roster,
  };
}
