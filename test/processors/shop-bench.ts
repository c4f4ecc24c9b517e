/** Some of the shop's stages over a TopologyTestDriver, fed by what people do. */
import type { BronzeShopCustomerProfiles, BronzeShopCustomerProfilesValue } from '#schemas';
import type { Stage } from '#topology';
import { TopologyTestDriver } from '#topology/testing';
import { testSerdes } from '../../connectors/avro/testing.ts';
import { topics } from '../../processors/index.ts';
import { topicOf } from './shop-dump.ts';

type Profile = BronzeShopCustomerProfilesValue;
type Row = Readonly<Record<string, unknown>>;

const SOURCE = { ts_ms: 0, snapshot: null, db: 'shop', table: null, gtid: null, file: 'b', pos: 4, row: 0 };
const { bronze } = topics;

export const at = (iso: string): number => Date.parse(iso);

/** Times are ms, money is cents. Nothing is processed before `settle`. */
export class ShopBench {
  readonly driver: TopologyTestDriver;

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

  /** What Debezium sends after a delete. */
  async profileTombstone(timestamp: number, user_id: number): Promise<void> {
    await this.driver.pipeInput(bronze.shop.customerProfiles, { key: { user_id }, value: null, timestamp });
  }

  /** Everything before `timestamp` has been told by everybody; processes all. */
  async settle(timestamp?: number): Promise<void> {
    if (timestamp !== undefined) {
      for (const topic of [...Object.values(bronze.shop), ...Object.values(bronze.app)])
        this.driver.completeUpTo(topicOf(topic.name), timestamp);
    }
    await this.driver.run();
  }

  /** The last value per key of a topic, in the order of the keys. */
  async rows(topic: string): Promise<Row[]> {
    const rows = [...(await this.driver.table(topicOf(topic)))] as [string, Row][];
    return rows.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => ({ key, ...value }));
  }
}
