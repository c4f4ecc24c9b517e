/**
 * Where people are in silver, gold and the state of the stages: what `sluice erase user` and `sluice verify` go by, and the only place that says so.
 * test/processors/personal-data.test.ts compares it with every schema and every store.
 */
import type { Topic } from '#topology';
import { topics } from './topics.ts';

/** A topic whose rows are about one user each. */
export interface PersonalTopic {
  readonly name: string;
  /** The field that holds the user's id; null in rows of somebody without a name. */
  readonly column: string;
  /** Rows of other users have the same key: no tombstone can be written. */
  readonly isKeyShared: boolean;
}

/** The fields of a row that can hold a user's id. */
type IdField<V> = { [K in keyof V]: V[K] extends number | null ? K : never }[keyof V] & string;

function personal<V>({ name }: Topic<string, V>, column: IdField<V>, isKeyShared = false): PersonalTopic {
  return { name, column, isKeyShared };
}

/** Topics of silver and gold whose rows are about a user. All others hold sums over many, or none. */
export const personalTopics: readonly PersonalTopic[] = [
  personal(topics.silver.users, 'userId'),
  personal(topics.silver.customerProfiles, 'userId'),
  personal(topics.silver.purchasesEnriched, 'userId'),
  personal(topics.silver.sessions, 'userId'),
  // By item.
  personal(topics.silver.pageviewsByItems, 'userId', true),
  personal(topics.silver.loginsEnriched, 'userId'),
  personal(topics.gold.monthlyPurchaseSummary, 'userId'),
  personal(topics.gold.customerBehaviour, 'userId'),
  personal(topics.gold.loginAnomalies, 'userId'),
  personal(topics.gold.userEngagementSegments, 'userId'),
  personal(topics.gold.segmentChanges, 'userId'),
];

/** A store with entries of one user each that would bring an erased row back. */
export interface PersonalStore {
  readonly name: string;
  /** Whether an entry under this key is of the user. */
  readonly isOf: (key: string, userId: string) => boolean;
}

const isWhole = (key: string, userId: string): boolean => key === userId;

/** Stores whose entries of a user are erased with the rows: nothing about others is reckoned from them. */
export const personalStores: readonly PersonalStore[] = [
  { name: 'customer-behaviour', isOf: isWhole },
  { name: 'login-histories', isOf: isWhole },
  { name: 'segments-engagements', isOf: isWhole },
  { name: 'monthly-purchases', isOf: (key, userId) => key.startsWith(`${userId}|`) },
];

/** The store of sessions that are open. They are left to end, since counts of many are made of them, and each writes a row then. */
export const openSessions: PersonalStore = { name: 'sessions', isOf: (key, userId) => key === `user:${userId}` };

/** Stores that hold something of a user and are left, with what ends that. */
export const storesLeft: Readonly<Record<string, string>> = {
  sessions: 'the end of the session',
  'purchases-users': 'nothing: versions of silver.users, which keeps them too',
  'logins-users': 'nothing: versions of silver.users, which keeps them too',
  'segments-profiles': 'nothing: versions of silver.customer_profiles, which keeps them too',
  'segments-awaiting-profiles': 'event time, in minutes',
  'segments-sessions-in-order': 'event time, in minutes',
  'purchases-in-order': 'event time, in minutes',
  'purchases-awaiting-items': 'event time, in minutes',
  'purchases-awaiting-users': 'event time, in minutes',
  'pageviews-awaiting-items': 'event time, in minutes',
  'logins-awaiting-users': 'event time, in minutes',
  'logins-in-order': 'event time, in minutes',
};

/** Stores that hold nothing of one user: sums over many, items, and ids of events. */
export const storesOfNobody: readonly string[] = [
  'conversion-funnel',
  'daily-product-performance',
  'item-interest-24h',
  'item-interest-hour',
  'item-sales-day',
  'item-sales-hour',
  'load-seen',
  'login-clock',
  'logins-seen',
  'order-trends',
  'pageviews-by-channel',
  'pageviews-items',
  'pageviews-seen',
  'performance-carts-seen',
  'purchases-items',
  'purchases-seen',
  'registrations-hourly',
  'registrations-seen',
  'sales-24h',
  'segments-clock',
  'sessions-carts-seen',
  'sessions-pageviews-seen',
  'system-load-5m',
  'top-converting',
  'top-items-day',
  'top-items-hour',
];
