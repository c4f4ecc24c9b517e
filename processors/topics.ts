/** Every topic of the shop: names, formats, clocks. Kafka's settings for them follow from here (`topicSpec`). */
import { originTopic, type Schema, topic, type Topic } from '#topology';
import { schemas } from '#schemas';

/** The part of Debezium's envelope that a clock needs. */
interface ChangeEnvelope {
  readonly op: string;
  readonly ts_ms: number | null;
}

/** The part of an app event that a clock needs. */
interface AppEvent {
  readonly receivedAt: number;
}

/** Changes of a MySQL table. The key is Debezium's key record, so that Debezium itself can write the topic. */
function tableChanges<K, V extends ChangeEnvelope>(name: string, key: Schema<K>, value: Schema<V>): Topic<K, V> {
  return originTopic(name, {
    key,
    value,
    outOfOrderness: '10s',
    maxAhead: '1h',
    receivedAt: (change) => change.ts_ms,
    isSnapshot: (change) => change.op === 'r',
  });
}

/** Events that come through the collector, from phones whose uploads lag: key = event id. */
function appEvents<V extends AppEvent>(name: string, value: Schema<V>): Topic<string, V> {
  return originTopic(name, {
    value,
    outOfOrderness: '1m',
    maxAhead: '1h',
    receivedAt: (event) => event.receivedAt,
  });
}

export const topics = {
  bronze: {
    shop: {
      users: tableChanges('bronze.shop.users', schemas['bronze.shop.users-key'], schemas['bronze.shop.users']),
      items: tableChanges('bronze.shop.items', schemas['bronze.shop.items-key'], schemas['bronze.shop.items']),
      purchases: tableChanges(
        'bronze.shop.purchases',
        schemas['bronze.shop.purchases-key'],
        schemas['bronze.shop.purchases'],
      ),
      customerProfiles: tableChanges(
        'bronze.shop.customer_profiles',
        schemas['bronze.shop.customer_profiles-key'],
        schemas['bronze.shop.customer_profiles'],
      ),
    },
    app: {
      pageviews: appEvents('bronze.app.pageviews', schemas['bronze.app.pageviews']),
      cartEvents: appEvents('bronze.app.cart_events', schemas['bronze.app.cart_events']),
      logins: appEvents('bronze.app.logins', schemas['bronze.app.logins']),
      purchaseEvents: appEvents('bronze.app.purchase_events', schemas['bronze.app.purchase_events']),
      sessionRecordings: appEvents('bronze.app.session_recordings', schemas['bronze.app.session_recordings']),
      registrations: appEvents('bronze.app.registrations', schemas['bronze.app.registrations']),
    },
    ops: {
      systemLoad: appEvents('bronze.ops.system_load', schemas['bronze.ops.system_load']),
    },
  },
  silver: {
    // Tables that are read as of a time keep every version: Kafka must not compact them.
    users: topic('silver.users', { value: schemas['silver.users'], cleanup: 'delete' }),
    items: topic('silver.items', { value: schemas['silver.items'], cleanup: 'delete' }),
    customerProfiles: topic('silver.customer_profiles', {
      value: schemas['silver.customer_profiles'],
      cleanup: 'delete',
    }),
    purchasesEnriched: topic('silver.purchases_enriched', {
      value: schemas['silver.purchases_enriched'],
      cleanup: 'delete',
    }),
    sessions: topic('silver.sessions', { value: schemas['silver.sessions'], cleanup: 'delete' }),
    pageviewsByItems: topic('silver.pageviews_by_items', {
      value: schemas['silver.pageviews_by_items'],
      cleanup: 'delete',
    }),
    loginsEnriched: topic('silver.logins_enriched', { value: schemas['silver.logins_enriched'], cleanup: 'delete' }),
  },
  gold: {
    salesPerf24h: topic('gold.sales_perf_24h', { value: schemas['gold.sales_perf_24h'], cleanup: 'compact' }),
    pageviewsByChannel: topic('gold.pageviews_by_channel', {
      value: schemas['gold.pageviews_by_channel'],
      cleanup: 'compact',
    }),
    registrationsHourly: topic('gold.registrations_hourly', {
      value: schemas['gold.registrations_hourly'],
      cleanup: 'compact',
    }),
    topSellingItems: topic('gold.top_selling_items', { value: schemas['gold.top_selling_items'], cleanup: 'compact' }),
    dailyProductPerformance: topic('gold.daily_product_performance', {
      value: schemas['gold.daily_product_performance'],
      cleanup: 'compact',
    }),
    topConvertingItems: topic('gold.top_converting_items', {
      value: schemas['gold.top_converting_items'],
      cleanup: 'compact',
    }),
    orderTrends: topic('gold.order_trends', { value: schemas['gold.order_trends'], cleanup: 'compact' }),
    customerBehaviour: topic('gold.customer_behaviour', {
      value: schemas['gold.customer_behaviour'],
      cleanup: 'compact',
    }),
    conversionFunnel: topic('gold.conversion_funnel', { value: schemas['gold.conversion_funnel'], cleanup: 'compact' }),
    monthlyPurchaseSummary: topic('gold.monthly_purchase_summary', {
      value: schemas['gold.monthly_purchase_summary'],
      cleanup: 'compact',
    }),
    userEngagementSegments: topic('gold.user_engagement_segments', {
      value: schemas['gold.user_engagement_segments'],
      cleanup: 'compact',
    }),
    // Several changes of one user have one key.
    segmentChanges: topic('gold.segment_changes', { value: schemas['gold.segment_changes'], cleanup: 'delete' }),
    systemLoad5m: topic('gold.system_load_5m', { value: schemas['gold.system_load_5m'], cleanup: 'compact' }),
    loginAnomalies: topic('gold.login_anomalies', { value: schemas['gold.login_anomalies'], cleanup: 'compact' }),
  },
} as const;
