/** The shop's stages. */
import type { Stage } from '#topology';
import { loginAnomalies } from './gold/login-anomalies.ts';
import { conversionFunnel } from './gold/conversion-funnel.ts';
import { customerBehaviour } from './gold/customer-behaviour.ts';
import { dailyProductPerformance } from './gold/daily-product-performance.ts';
import { orderTrends } from './gold/order-trends.ts';
import { systemLoad5m } from './gold/system-load-5m.ts';
import { topConvertingItems } from './gold/top-converting-items.ts';
import { monthlyPurchaseSummary } from './gold/monthly-purchase-summary.ts';
import { pageviewsByChannel } from './gold/pageviews-by-channel.ts';
import { registrationsHourly } from './gold/registrations-hourly.ts';
import { salesPerf24h } from './gold/sales-perf-24h.ts';
import { topSellingItems } from './gold/top-selling-items.ts';
import { userEngagementSegments } from './gold/user-engagement-segments.ts';
import { customerProfiles } from './silver/customer-profiles.ts';
import { items } from './silver/items.ts';
import { loginsEnriched } from './silver/logins-enriched.ts';
import { pageviewsByItems } from './silver/pageviews-by-items.ts';
import { purchasesEnriched } from './silver/purchases-enriched.ts';
import { sessions } from './silver/sessions.ts';
import { users } from './silver/users.ts';

export { topics } from './topics.ts';

/** All stages of the shop, in no order that matters. */
export const shopStages: readonly Stage[] = [
  users,
  items,
  customerProfiles,
  purchasesEnriched,
  pageviewsByItems,
  sessions,
  salesPerf24h,
  pageviewsByChannel,
  registrationsHourly,
  topSellingItems,
  monthlyPurchaseSummary,
  loginsEnriched,
  loginAnomalies,
  conversionFunnel,
  dailyProductPerformance,
  topConvertingItems,
  orderTrends,
  customerBehaviour,
  userEngagementSegments,
  systemLoad5m,
];
