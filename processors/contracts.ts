/** What the topics of the shop's stages promise. */
import type { Contract } from '#topology';
import { conversionFunnelContract } from './gold/conversion-funnel.ts';
import { loginAnomaliesContract } from './gold/login-anomalies.ts';
import { monthlyPurchaseSummaryContract } from './gold/monthly-purchase-summary.ts';
import { pageviewsByChannelContract } from './gold/pageviews-by-channel.ts';
import { registrationsHourlyContract } from './gold/registrations-hourly.ts';
import { salesPerf24hContract } from './gold/sales-perf-24h.ts';
import { topSellingItemsContract } from './gold/top-selling-items.ts';
import { customerProfilesContract } from './silver/customer-profiles.ts';
import { itemsContract } from './silver/items.ts';
import { loginsEnrichedContract } from './silver/logins-enriched.ts';
import { pageviewsByItemsContract } from './silver/pageviews-by-items.ts';
import { purchasesEnrichedContract } from './silver/purchases-enriched.ts';
import { sessionsContract } from './silver/sessions.ts';
import { usersContract } from './silver/users.ts';

/** One per topic of silver and gold, in no order that matters. */
export const shopContracts: readonly Contract<object>[] = [
  usersContract,
  itemsContract,
  purchasesEnrichedContract,
  pageviewsByItemsContract,
  salesPerf24hContract,
  pageviewsByChannelContract,
  registrationsHourlyContract,
  topSellingItemsContract,
  monthlyPurchaseSummaryContract,
  loginsEnrichedContract,
  loginAnomaliesContract,
  customerProfilesContract,
  sessionsContract,
  conversionFunnelContract,
];
