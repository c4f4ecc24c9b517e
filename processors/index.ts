/** The shop's stages. */
import type { Contract, Stage } from '#topology';
import { monthlyPurchaseSummary, monthlyPurchaseSummaryContract } from './gold/monthly-purchase-summary.ts';
import { pageviewsByChannel, pageviewsByChannelContract } from './gold/pageviews-by-channel.ts';
import { registrationsHourly, registrationsHourlyContract } from './gold/registrations-hourly.ts';
import { salesPerf24h, salesPerf24hContract } from './gold/sales-perf-24h.ts';
import { topSellingItems, topSellingItemsContract } from './gold/top-selling-items.ts';
import { items, itemsContract } from './silver/items.ts';
import { pageviewsByItems, pageviewsByItemsContract } from './silver/pageviews-by-items.ts';
import { purchasesEnriched, purchasesEnrichedContract } from './silver/purchases-enriched.ts';
import { users, usersContract } from './silver/users.ts';

export { topics } from './topics.ts';

/** All stages of the shop, in no order that matters. */
export const shopStages: readonly Stage[] = [
  users,
  items,
  purchasesEnriched,
  pageviewsByItems,
  salesPerf24h,
  pageviewsByChannel,
  registrationsHourly,
  topSellingItems,
  monthlyPurchaseSummary,
];

/** What the topics that they write promise. */
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
];
