/** Per table of visits and what comes of them: a bronze record that it rests on, and a change of value that its rows must show. */
import type { BronzeRecord } from '../../dev/verify/oracle-database.ts';
import type { OutputRow, Timed } from './reference.ts';

type RestsOn = Record<string, () => { record: Timed; value: Partial<BronzeRecord> }>;
type RowsOf = (table: string) => readonly OutputRow[];
type Fits = (value: Record<string, unknown>, record: Timed) => boolean;
type LastOf = (topic: string, fits: Fits) => Timed;

export const restsOnVisits = (rowsOf: RowsOf, lastOf: LastOf, isSale: Fits): RestsOn => ({
  'silver.sessions': () => {
    const record = lastOf(
      'bronze.app.cart_events',
      (value, { timestamp }) =>
        value['action'] === 'add' &&
        rowsOf('silver.sessions').some((row) => row['userId'] === value['userId'] && row['startedAt'] === timestamp),
    );
    return { record, value: { value: { ...(record.value as object), action: 'remove' } } };
  },
  'gold.conversion_funnel': () => {
    const record = lastOf('bronze.app.cart_events', (value, { timestamp }) =>
      rowsOf('silver.sessions').some(
        (row) =>
          row['startedAt'] === timestamp &&
          row['endedAt'] === timestamp &&
          row['userId'] === value['userId'] &&
          row['entryChannel'] === 'other',
      ),
    );
    return { record, value: { value: { ...(record.value as object), channel: 'direct' } } };
  },
  'gold.daily_product_performance': () => {
    const record = lastOf(
      'bronze.app.cart_events',
      (value, { ow, timestamp }) => value['action'] === 'add' && ow <= timestamp,
    );
    return { record, value: { value: { ...(record.value as object), itemId: 77 } } };
  },
  'gold.top_converting_items': () => {
    const record = lastOf('bronze.app.pageviews', (value, { ow, timestamp }) =>
      rowsOf('gold.top_converting_items').some(
        (row) =>
          ow <= timestamp &&
          row['itemId'] === value['itemId'] &&
          (row['windowStart'] as number) <= timestamp &&
          timestamp < (row['windowEnd'] as number),
      ),
    );
    return { record, value: { value: { ...(record.value as object), itemId: 77 } } };
  },
  'gold.user_engagement_segments': () => another(lastOf, madeBuyer(rowsOf, isSale)),
  'gold.segment_changes': () => another(lastOf, madeBuyer(rowsOf, isSale), { user_id: 77 }),
  'gold.order_trends': () => another(lastOf, isSale),
  'gold.customer_behaviour': () => another(lastOf, isSale),
});

/** A purchase of a day at whose end somebody has become a buyer: the reason counts it. */
const madeBuyer =
  (rowsOf: RowsOf, isSale: Fits): Fits =>
  (value, record) =>
    isSale(value, record) &&
    rowsOf('gold.segment_changes').some(
      (row) =>
        row['userId'] === (value['after'] as { user_id: number }).user_id &&
        row['toSegment'] === 'buyer' &&
        (row['windowStart'] as number) <= record.timestamp &&
        record.timestamp < (row['windowEnd'] as number),
    );

/** A purchase of another quantity, unless something else is to change. */
function another(
  lastOf: LastOf,
  isSale: Fits,
  change: object = { quantity: 77 },
): { record: Timed; value: Partial<BronzeRecord> } {
  const record = lastOf('bronze.shop.purchases', isSale);
  const value = record.value as { after: object };
  return { record, value: { value: { ...value, after: { ...value.after, ...change } } } };
}
