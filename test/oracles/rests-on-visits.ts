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
  'gold.order_trends': () => another(lastOf, isSale),
  'gold.customer_behaviour': () => another(lastOf, isSale),
});

/** A purchase of another quantity. */
function another(lastOf: LastOf, isSale: Fits): { record: Timed; value: Partial<BronzeRecord> } {
  const record = lastOf('bronze.shop.purchases', isSale);
  const value = record.value as { after: object };
  return { record, value: { value: { ...value, after: { ...value.after, quantity: 77 } } } };
}
