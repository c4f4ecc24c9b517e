/** The synthetic bronze topics as the shop's own: changes know their source, events are named by UUIDs. */
import assert from 'node:assert/strict';
import type { Topic } from '#topology';
import type { BronzeDump } from '../../dev/verify/oracle-database.ts';
import { topics } from '../../processors/index.ts';
import { START } from '../oracles/synthetic.ts';

const { bronze, silver, gold } = topics;
const all = [
  ...Object.values(bronze.shop),
  ...Object.values(bronze.app),
  ...Object.values(bronze.ops),
  ...Object.values(silver),
  ...Object.values(gold),
];

/** A topic of the shop by its name. */
export const topicOf = (name: string): Topic<unknown, unknown> => {
  const found = all.find((topic) => topic.name === name);
  assert.ok(found !== undefined, name);
  return found as unknown as Topic<unknown, unknown>;
};

/** The dump as Avro demands it. */
export function complete(dump: BronzeDump): BronzeDump {
  const source = {
    ts_ms: START,
    snapshot: null,
    db: 'shop',
    table: null,
    gtid: null,
    file: 'binlog.1',
    pos: 4,
    row: 0,
  };
  const records = dump.records.map((record) => {
    const value = record.value as Record<string, unknown> | null;
    if (value === null) return record;
    if ('op' in value) return { ...record, value: { ...value, source } };
    const eventId = `00000000-0000-4000-8000-${String(value['eventId']).slice(2).padStart(12, '0')}`;
    return { ...record, key: eventId, value: { ...value, eventId } };
  });
  return { ...dump, records };
}
