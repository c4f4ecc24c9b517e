/** Some of the shop's stages over a TopologyTestDriver, fed by what people do. */
import type {
  BronzeAppCartEvents,
  BronzeAppPageviews,
  BronzeShopCustomerProfiles,
  BronzeShopCustomerProfilesValue,
  BronzeShopItems,
  BronzeShopPurchases,
} from '#schemas';
import type { Stage } from '#topology';
import { TopologyTestDriver } from '#topology/testing';
import { testSerdes } from '../../connectors/avro/testing.ts';
import { topics } from '../../processors/index.ts';
import { topicOf } from './shop-dump.ts';

type Profile = BronzeShopCustomerProfilesValue;
type Row = Readonly<Record<string, unknown>>;

const SOURCE = { ts_ms: 0, snapshot: null, db: 'shop', table: null, gtid: null, file: 'b', pos: 4, row: 0 };
const { bronze } = topics;
const ALL = [...Object.values(bronze.shop), ...Object.values(bronze.app)].map(({ name }) => name);

export const at = (iso: string): number => Date.parse(iso);

/** Times are ms, money is cents. Nothing is processed before `settle`. */
export class ShopBench {
  readonly driver: TopologyTestDriver;
  #ids = 0;

  private constructor(driver: TopologyTestDriver) {
    this.driver = driver;
  }

  static async of(...stages: readonly Stage[]): Promise<ShopBench> {
    return new ShopBench(await TopologyTestDriver.create({ stages, serdes: testSerdes(), app: 'shop' }));
  }

  async profile(op: string, timestamp: number, before: Profile | null, after: Profile | null): Promise<void> {
    const user_id = (after ?? before)?.user_id ?? 0;
    const value: BronzeShopCustomerProfiles = { before, after, op, ts_ms: timestamp, source: SOURCE };
    await this.driver.pipeInput(bronze.shop.customerProfiles, { key: { user_id }, value, timestamp });
  }

  /** Somebody looks at a page, at `timestamp`; user 1 looks at item 1 unless told otherwise. Returns the event. */
  async view(timestamp: number, change: Partial<BronzeAppPageviews> = {}): Promise<BronzeAppPageviews> {
    const value: BronzeAppPageviews = {
      ...this.#appEvent(timestamp),
      url: '/items/1',
      itemId: 1,
      channel: null,
      referrer: null,
      ...change,
    };
    await this.driver.pipeInput(bronze.app.pageviews, { key: value.eventId, value, timestamp });
    return value;
  }

  /** Somebody puts item 1 into the cart unless told otherwise. Returns the event. */
  async cart(timestamp: number, change: Partial<BronzeAppCartEvents> = {}): Promise<BronzeAppCartEvents> {
    const value: BronzeAppCartEvents = {
      ...this.#appEvent(timestamp),
      action: 'add',
      itemId: 1,
      quantity: 1,
      channel: null,
      ...change,
    };
    await this.driver.pipeInput(bronze.app.cartEvents, { key: value.eventId, value, timestamp });
    return value;
  }

  /** User 1 buys one item 1 for 10.00 unless told otherwise; nobody knows user or item. Returns the id. */
  async buy(timestamp: number, change: { userId?: number; itemId?: number; quantity?: number } = {}): Promise<number> {
    const id = ++this.#ids;
    const { userId: user_id = 1, itemId: item_id = 1, quantity = 1 } = change;
    const times = { created_at: timestamp, updated_at: timestamp };
    const after = { id, user_id, item_id, quantity, unit_price: 1_000n, ...times };
    const value: BronzeShopPurchases = { before: null, after, op: 'c', ts_ms: timestamp, source: SOURCE };
    await this.driver.pipeInput(bronze.shop.purchases, { key: { id }, value, timestamp });
    return id;
  }

  /** A snapshot shows a purchase of user 1 from long ago: in time as long as nothing else has moved the clock of its partition. */
  async snapshotOfPurchase(timestamp: number, id: number): Promise<void> {
    const times = { created_at: timestamp, updated_at: timestamp };
    const after = { id, user_id: 1, item_id: 1, quantity: 1, unit_price: 1_000n, ...times };
    const value: BronzeShopPurchases = { before: null, after, op: 'r', ts_ms: timestamp, source: SOURCE };
    await this.driver.pipeInput(bronze.shop.purchases, { key: { id }, value, timestamp });
  }

  /** There is an item, of a category, since `timestamp`. */
  async item(timestamp: number, id: number, category: string): Promise<void> {
    const times = { created_at: timestamp, updated_at: timestamp };
    const after = { id, title: `Item ${id}`, category, price: 1_000n, active: 1, ...times };
    const value: BronzeShopItems = { before: null, after, op: 'c', ts_ms: timestamp, source: SOURCE };
    await this.driver.pipeInput(bronze.shop.items, { key: { id }, value, timestamp });
  }

  #appEvent(timestamp: number) {
    const eventId = `00000000-0000-4000-8000-${String(++this.#ids).padStart(12, '0')}`;
    return {
      eventId,
      userId: 1,
      anonymousId: 'somebody',
      sessionId: null,
      occurredAt: timestamp,
      receivedAt: timestamp,
    };
  }

  /** What Debezium sends after a delete. */
  async profileTombstone(timestamp: number, user_id: number): Promise<void> {
    await this.driver.pipeInput(bronze.shop.customerProfiles, { key: { user_id }, value: null, timestamp });
  }

  /** Everything before `timestamp` has been told in these topics, by default in all; processes what is there. */
  async settle(timestamp?: number, told: readonly string[] = ALL): Promise<void> {
    if (timestamp !== undefined) for (const name of told) this.driver.completeUpTo(topicOf(name), timestamp);
    await this.driver.run();
  }

  /** The last value per key of a topic, in the order of the keys. */
  async rows(topic: string): Promise<Row[]> {
    const rows = [...(await this.driver.table(topicOf(topic)))] as [string, Row][];
    return rows.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => ({ key, ...value }));
  }
}
