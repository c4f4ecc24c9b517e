import type { Sink, SinkStage } from '#topology';
import { topics } from '../topics.ts';

/** What analysts query with SQL: each table is the newest record of every key of its topic. */
export const warehouseTopics = [
  topics.silver.customerProfiles,
  topics.silver.purchasesEnriched,
  topics.silver.sessions,
  topics.gold.salesPerf24h,
  topics.gold.pageviewsByChannel,
  topics.gold.registrationsHourly,
  topics.gold.topSellingItems,
  topics.gold.monthlyPurchaseSummary,
  topics.gold.loginAnomalies,
  topics.gold.conversionFunnel,
  topics.gold.customerBehaviour,
  topics.gold.userEngagementSegments,
  topics.gold.orderTrends,
  topics.gold.topConvertingItems,
  topics.gold.dailyProductPerformance,
  topics.gold.systemLoad5m,
] as const;

/** The sink stage that carries them to a warehouse. */
export function warehouseSink(sink: Sink): SinkStage {
  return { name: 'warehouse', topics: warehouseTopics, sink };
}
