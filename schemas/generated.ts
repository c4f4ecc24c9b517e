// Written by `npm run generate` from schemas/*.avsc. Do not edit.

/** Something was put into a cart or taken out of it. */
export interface BronzeAppCartEvents {
  readonly eventId: string;
  readonly userId: number | null;
  readonly anonymousId: string;
  readonly sessionId: string | null;
  /** event time: when it happened at the sender; ms since the epoch */
  readonly occurredAt: number;
  /** when the collector received it; ms since the epoch */
  readonly receivedAt: number;
  /** 'add' or 'remove', as the sender wrote it */
  readonly action: string;
  readonly itemId: number;
  readonly quantity: number;
  /** marketing channel as the sender wrote it */
  readonly channel: string | null;
}

/** Somebody tried to log in. */
export interface BronzeAppLogins {
  readonly eventId: string;
  readonly userId: number | null;
  readonly anonymousId: string;
  readonly sessionId: string | null;
  /** event time: when it happened at the sender; ms since the epoch */
  readonly occurredAt: number;
  /** when the collector received it; ms since the epoch */
  readonly receivedAt: number;
  readonly succeeded: boolean;
  /** 'password', 'google' or 'apple', as the sender wrote it */
  readonly method: string;
  /** where from, as the sender wrote it */
  readonly country: string | null;
  /** what with, as the sender wrote it */
  readonly device: string | null;
  /** where from, degrees north, as the app's edge has located the sender */
  readonly latitude: number | null;
  /** where from, degrees east */
  readonly longitude: number | null;
}

/** A page was viewed. */
export interface BronzeAppPageviews {
  readonly eventId: string;
  readonly userId: number | null;
  readonly anonymousId: string;
  readonly sessionId: string | null;
  /** event time: when it happened at the sender; ms since the epoch */
  readonly occurredAt: number;
  /** when the collector received it; ms since the epoch */
  readonly receivedAt: number;
  readonly url: string;
  /** the item shown, null on other pages */
  readonly itemId: number | null;
  /** marketing channel as the sender wrote it */
  readonly channel: string | null;
  readonly referrer: string | null;
}

/** Something was bought, as the app says; the shop's database may say it too, under the same purchase id. */
export interface BronzeAppPurchaseEvents {
  readonly eventId: string;
  readonly userId: number;
  readonly anonymousId: string;
  readonly sessionId: string | null;
  /** event time: when it happened at the sender; ms since the epoch */
  readonly occurredAt: number;
  /** when the collector received it; ms since the epoch */
  readonly receivedAt: number;
  /** as in bronze.shop.purchases */
  readonly purchaseId: number;
  readonly itemId: number;
  /** at least 1 */
  readonly quantity: number;
  /** at least 0 */
  readonly unitPriceCents: number;
}

/** A person registered. */
export interface BronzeAppRegistrations {
  readonly eventId: string;
  readonly userId: number | null;
  readonly anonymousId: string;
  readonly sessionId: string | null;
  /** event time: when it happened at the sender; ms since the epoch */
  readonly occurredAt: number;
  /** when the collector received it; ms since the epoch */
  readonly receivedAt: number;
  readonly email: string | null;
  /** as the sender wrote it */
  readonly country: string | null;
  readonly channel: string | null;
}

/** A piece of the recording of a visit is there: how long it is, what happened in it and where it lies; the recording itself goes past Kafka. */
export interface BronzeAppSessionRecordings {
  readonly eventId: string;
  readonly userId: number | null;
  readonly anonymousId: string;
  /** of the visit that is recorded */
  readonly sessionId: string;
  /** event time: when the piece began at the sender; ms since the epoch */
  readonly occurredAt: number;
  /** when the collector received it; ms since the epoch */
  readonly receivedAt: number;
  /** number of the piece in its visit, from 0 */
  readonly part: number;
  /** length of the piece, ms */
  readonly durationMs: number;
  readonly clicks: number;
  /** how many; not which */
  readonly keyPresses: number;
  /** size of the piece where it lies */
  readonly bytes: number;
  /** where the piece lies, as a path in the store of recordings */
  readonly location: string;
}

/** How busy a host is at an instant. */
export interface BronzeOpsSystemLoad {
  readonly eventId: string;
  /** event time: when it was measured; ms since the epoch */
  readonly occurredAt: number;
  /** when the collector received it; ms since the epoch */
  readonly receivedAt: number;
  /** as the host calls itself */
  readonly host: string;
  /** of all its processors' time, 0 to 1000 */
  readonly cpuPermille: number;
  /** of all its memory, 0 to 1000 */
  readonly memoryPermille: number;
}

export interface BronzeShopCustomerProfilesValue {
  readonly user_id: number;
  readonly age_band: string | null;
  /** TINYINT(1): 0 or 1 */
  readonly marketing_consent: number;
  /** JSON */
  readonly preferences: string | null;
  /** ms since the epoch */
  readonly created_at: number;
  /** ms since the epoch */
  readonly updated_at: number;
}

export interface BronzeShopCustomerProfilesSource {
  /** time of the change in the database, ms */
  readonly ts_ms: number;
  /** 'first', 'true', 'last' for rows of a snapshot; null or 'false' otherwise */
  readonly snapshot: string | null;
  readonly db: string;
  readonly table: string | null;
  readonly gtid: string | null;
  readonly file: string;
  readonly pos: number;
  readonly row: number;
}

/** Debezium's change envelope of table shop.customer_profiles: the fields that Sluice reads. */
export interface BronzeShopCustomerProfiles {
  readonly before: BronzeShopCustomerProfilesValue | null;
  readonly after: BronzeShopCustomerProfilesValue | null;
  readonly source: BronzeShopCustomerProfilesSource;
  /** c create, u update, d delete, r snapshot */
  readonly op: string;
  /** when the connector handled the change, ms */
  readonly ts_ms: number | null;
}

export interface BronzeShopCustomerProfilesKey {
  readonly user_id: number;
}

export interface BronzeShopItemsValue {
  readonly id: number;
  readonly title: string;
  readonly category: string | null;
  /** unscaled, 2 digits after the point */
  readonly price: bigint;
  /** TINYINT(1): 0 or 1 */
  readonly active: number;
  /** ms since the epoch */
  readonly created_at: number;
  /** ms since the epoch */
  readonly updated_at: number;
}

export interface BronzeShopItemsSource {
  /** time of the change in the database, ms */
  readonly ts_ms: number;
  /** 'first', 'true', 'last' for rows of a snapshot; null or 'false' otherwise */
  readonly snapshot: string | null;
  readonly db: string;
  readonly table: string | null;
  readonly gtid: string | null;
  readonly file: string;
  readonly pos: number;
  readonly row: number;
}

/** Debezium's change envelope of table shop.items: the fields that Sluice reads. */
export interface BronzeShopItems {
  readonly before: BronzeShopItemsValue | null;
  readonly after: BronzeShopItemsValue | null;
  readonly source: BronzeShopItemsSource;
  /** c create, u update, d delete, r snapshot */
  readonly op: string;
  /** when the connector handled the change, ms */
  readonly ts_ms: number | null;
}

export interface BronzeShopItemsKey {
  readonly id: number;
}

export interface BronzeShopPurchasesValue {
  readonly id: number;
  readonly user_id: number;
  readonly item_id: number;
  readonly quantity: number;
  /** unscaled, 2 digits after the point */
  readonly unit_price: bigint;
  /** ms since the epoch */
  readonly created_at: number;
  /** ms since the epoch */
  readonly updated_at: number;
}

export interface BronzeShopPurchasesSource {
  /** time of the change in the database, ms */
  readonly ts_ms: number;
  /** 'first', 'true', 'last' for rows of a snapshot; null or 'false' otherwise */
  readonly snapshot: string | null;
  readonly db: string;
  readonly table: string | null;
  readonly gtid: string | null;
  readonly file: string;
  readonly pos: number;
  readonly row: number;
}

/** Debezium's change envelope of table shop.purchases: the fields that Sluice reads. */
export interface BronzeShopPurchases {
  readonly before: BronzeShopPurchasesValue | null;
  readonly after: BronzeShopPurchasesValue | null;
  readonly source: BronzeShopPurchasesSource;
  /** c create, u update, d delete, r snapshot */
  readonly op: string;
  /** when the connector handled the change, ms */
  readonly ts_ms: number | null;
}

export interface BronzeShopPurchasesKey {
  readonly id: number;
}

export interface BronzeShopUsersValue {
  readonly id: number;
  readonly email: string | null;
  readonly full_name: string | null;
  readonly country: string | null;
  /** days since the epoch */
  readonly birth_date: number | null;
  /** ms since the epoch */
  readonly created_at: number;
  /** ms since the epoch */
  readonly updated_at: number;
}

export interface BronzeShopUsersSource {
  /** time of the change in the database, ms */
  readonly ts_ms: number;
  /** 'first', 'true', 'last' for rows of a snapshot; null or 'false' otherwise */
  readonly snapshot: string | null;
  readonly db: string;
  readonly table: string | null;
  readonly gtid: string | null;
  readonly file: string;
  readonly pos: number;
  readonly row: number;
}

/** Debezium's change envelope of table shop.users: the fields that Sluice reads. */
export interface BronzeShopUsers {
  readonly before: BronzeShopUsersValue | null;
  readonly after: BronzeShopUsersValue | null;
  readonly source: BronzeShopUsersSource;
  /** c create, u update, d delete, r snapshot */
  readonly op: string;
  /** when the connector handled the change, ms */
  readonly ts_ms: number | null;
}

export interface BronzeShopUsersKey {
  readonly id: number;
}

/** How many sessions of a calendar day in the shop's time zone went from viewing to buying, per entry channel. A session counts on the day on which it ended. */
export interface GoldConversionFunnel {
  /** inclusive; ms since the epoch */
  readonly windowStart: number;
  /** exclusive; ms since the epoch */
  readonly windowEnd: number;
  /** entry channel of the sessions; 'unknown' where nobody saw more of them than purchases */
  readonly channel: string;
  /** all of them */
  readonly sessions: number;
  /** those with a pageview */
  readonly viewed: number;
  /** of those, with something put into the cart */
  readonly carted: number;
  /** of those, with an order */
  readonly purchased: number;
  /** of all sessions, whatever steps they took */
  readonly orders: number;
  /** of all sessions, whatever steps they took, in the currency of the shop; unscaled, 2 digits after the point */
  readonly revenue: bigint;
  /** purchased / viewed, rounded half up; 0 without views; unscaled, 4 digits after the point */
  readonly conversionRate: bigint;
}

/** What a user has done in the shop so far; key = user id as text. */
export interface GoldCustomerBehaviour {
  /** id of the user */
  readonly userId: number;
  /** recency: how long ago that is, the clock of the reader says; ms since the epoch */
  readonly lastOrderAt: number | null;
  /** frequency */
  readonly orders: number;
  /** monetary value; unscaled, 2 digits after the point */
  readonly revenue: bigint;
  /** revenue / orders, rounded half up; 0 without orders; unscaled, 2 digits after the point */
  readonly averageOrderValue: bigint;
  /** those that are over */
  readonly sessions: number;
  /** end of the last session, or the last order; ms since the epoch */
  readonly lastSeenAt: number;
}

/** What became of an item on a calendar day in the shop's time zone. */
export interface GoldDailyProductPerformance {
  /** inclusive; ms since the epoch */
  readonly windowStart: number;
  /** exclusive; ms since the epoch */
  readonly windowEnd: number;
  /** id of the item */
  readonly itemId: number;
  /** how often it was viewed */
  readonly views: number;
  /** how often it was put into a cart */
  readonly cartAdds: number;
  /** how many purchases of it */
  readonly orders: number;
  /** how many pieces of it were sold */
  readonly units: number;
  /** of these purchases, in the currency of the shop; unscaled, 2 digits after the point */
  readonly revenue: bigint;
}

/** A login that somebody else than the user may have made, per rule that it broke; key = eventId|rule. */
export interface GoldLoginAnomalies {
  /** of the login */
  readonly eventId: string;
  /** 'brute_force', 'impossible_travel' or 'new_device_and_country' */
  readonly rule: string;
  /** whose name was given */
  readonly userId: number;
  /** of the login; ms since the epoch */
  readonly occurredAt: number;
  /** where from: ISO 3166 alpha-2 */
  readonly country: string | null;
  /** what with */
  readonly device: string | null;
  /** of the user, where the shop knows it */
  readonly homeCountry: string | null;
  /** brute_force: failed attempts before it */
  readonly failures: number | null;
  /** impossible_travel: of the login before it; ms since the epoch */
  readonly previousAt: number | null;
  /** impossible_travel: from there, along a great circle */
  readonly distanceKm: number | null;
}

/** Purchases of a calendar month in the shop's time zone, per user and category. */
export interface GoldMonthlyPurchaseSummary {
  /** inclusive; ms since the epoch */
  readonly windowStart: number;
  /** exclusive; ms since the epoch */
  readonly windowEnd: number;
  /** who bought */
  readonly userId: number;
  /** of the items, 'unknown' where it was not known */
  readonly category: string;
  /** purchases */
  readonly orders: number;
  /** sum of their quantities */
  readonly units: number;
  /** sum of quantity x unit price, in the shop's currency; unscaled, 2 digits after the point */
  readonly revenue: bigint;
}

/** Orders of a calendar day or week in the shop's time zone, per category, beside those of the period before. Of a period that is not over: so far. */
export interface GoldOrderTrends {
  /** inclusive; weeks begin on Monday; ms since the epoch */
  readonly windowStart: number;
  /** exclusive; ms since the epoch */
  readonly windowEnd: number;
  /** 'day' or 'week' */
  readonly period: string;
  /** of the items, as of each purchase */
  readonly category: string;
  /** at least 1 */
  readonly orders: number;
  /** how many pieces were sold */
  readonly units: number;
  /** of the orders, in the currency of the shop; unscaled, 2 digits after the point */
  readonly revenue: bigint;
  /** orders of the period before */
  readonly previousOrders: number;
  /** units of the period before */
  readonly previousUnits: number;
  /** revenue of the period before; unscaled, 2 digits after the point */
  readonly previousRevenue: bigint;
  /** (revenue - previousRevenue) / previousRevenue, rounded half up; null where there was none; unscaled, 4 digits after the point */
  readonly revenueChange: bigint | null;
}

/** Views of items per hour and channel. */
export interface GoldPageviewsByChannel {
  /** inclusive; ms since the epoch */
  readonly windowStart: number;
  /** exclusive; ms since the epoch */
  readonly windowEnd: number;
  /** direct, search, social, email, ads, referral or other */
  readonly channel: string;
  /** views of items, each event once */
  readonly views: number;
}

/** Registrations per hour, every 15 minutes, per country. */
export interface GoldRegistrationsHourly {
  /** inclusive; ms since the epoch */
  readonly windowStart: number;
  /** exclusive; ms since the epoch */
  readonly windowEnd: number;
  /** ISO 3166 alpha-2, upper case, or 'unknown' */
  readonly country: string;
  /** registrations, each event once */
  readonly registrations: number;
}

/** Sales of the 24 hours before windowEnd, every hour, per category and country. */
export interface GoldSalesPerf24h {
  /** inclusive; ms since the epoch */
  readonly windowStart: number;
  /** exclusive; ms since the epoch */
  readonly windowEnd: number;
  /** of the items, 'unknown' where it was not known */
  readonly category: string;
  /** of the buyers, ISO 3166 alpha-2, or 'unknown' */
  readonly country: string;
  /** purchases */
  readonly orders: number;
  /** sum of their quantities */
  readonly units: number;
  /** sum of quantity x unit price, in the shop's currency; unscaled, 2 digits after the point */
  readonly revenue: bigint;
  /** revenue / orders, rounded half up; unscaled, 2 digits after the point */
  readonly averageOrderValue: bigint;
}

/** A user who has come into another segment by the end of a calendar day in the shop's time zone; key = user id as text. */
export interface GoldSegmentChanges {
  /** of the day, inclusive; ms since the epoch */
  readonly windowStart: number;
  /** of the day, exclusive: the change is known from then on; ms since the epoch */
  readonly windowEnd: number;
  /** who it is */
  readonly userId: number;
  /** that of the day before; null for one of whom nothing was known */
  readonly fromSegment: string | null;
  /** 'new', 'active', 'engaged', 'buyer', 'loyal', 'at_risk' or 'dormant' */
  readonly toSegment: string;
  /** what put the user there, for people */
  readonly reason: string;
}

/** How busy a host was in five minutes; averages rounded, halves up; p95: the least value that 95 of 100 samples do not exceed. */
export interface GoldSystemLoad5m {
  /** inclusive; ms since the epoch */
  readonly windowStart: number;
  /** exclusive; ms since the epoch */
  readonly windowEnd: number;
  /** in lower case */
  readonly host: string;
  /** number of measurements */
  readonly samples: number;
  /** of all its processors' time, permille */
  readonly cpuAverage: number;
  /** permille, exact */
  readonly cpuP95: number;
  /** permille */
  readonly cpuMax: number;
  /** of all its memory, permille */
  readonly memoryAverage: number;
  /** permille, exact */
  readonly memoryP95: number;
  /** permille */
  readonly memoryMax: number;
}

/** The ten items that were bought most often for each time they were viewed, in the 24 hours before windowEnd, every hour. */
export interface GoldTopConvertingItems {
  /** inclusive; ms since the epoch */
  readonly windowStart: number;
  /** exclusive; ms since the epoch */
  readonly windowEnd: number;
  /** from 1; ties by item id */
  readonly rank: number;
  /** id of the item */
  readonly itemId: number;
  /** as of the last view of the window */
  readonly title: string | null;
  /** as of the last view of the window */
  readonly category: string;
  /** at least 5 */
  readonly views: number;
  /** at least 1 */
  readonly orders: number;
  /** orders / views, rounded half up; above 1 when an item is bought more often than viewed; unscaled, 4 digits after the point */
  readonly conversionRate: bigint;
}

/** The ten items that sold best in an hour or a day, by revenue and by units. */
export interface GoldTopSellingItems {
  /** inclusive; ms since the epoch */
  readonly windowStart: number;
  /** exclusive; ms since the epoch */
  readonly windowEnd: number;
  /** 'hour', or 'day' in the shop's time zone */
  readonly period: string;
  /** 'revenue' or 'units'; ties by item id */
  readonly rankedBy: string;
  /** from 1 */
  readonly rank: number;
  /** the item in this place */
  readonly itemId: number;
  /** as of the last purchase of the window */
  readonly title: string | null;
  /** as of the last purchase of the window */
  readonly category: string;
  /** purchases of the item in the window */
  readonly orders: number;
  /** sum of their quantities */
  readonly units: number;
  /** sum of quantity x unit price, in the shop's currency; unscaled, 2 digits after the point */
  readonly revenue: bigint;
}

/** Which segment a user was in when a calendar day in the shop's time zone was over, what shows it, and the user's profile then; key = windowStart|userId. */
export interface GoldUserEngagementSegments {
  /** of the day, inclusive; ms since the epoch */
  readonly windowStart: number;
  /** of the day, exclusive; ms since the epoch */
  readonly windowEnd: number;
  /** who it is */
  readonly userId: number;
  /** 'new', 'active', 'engaged', 'buyer', 'loyal', 'at_risk' or 'dormant', by processors/gold/segment-rules.ts */
  readonly segment: string;
  /** that of the day before; null on the first day, and again after 90 days without a sign */
  readonly previousSegment: string | null;
  /** what put the user there, for people */
  readonly reason: string;
  /** days since the last session ended; 0: on this day */
  readonly daysSinceSeen: number;
  /** days of the last 7, this one included, on which a session ended */
  readonly activeDays7d: number;
  /** in sessions that ended within the last 30 days */
  readonly orders30d: number;
  /** days of the last 90 on which a session with an order ended */
  readonly orderDays90d: number;
  /** of sessions that ended within the last 90 days, in the currency of the shop; unscaled, 2 digits after the point */
  readonly revenue90d: bigint;
  /** what the profile said at the end of the day; 'unknown' without one */
  readonly ageBand: string;
  /** what the profile said at the end of the day; null without one */
  readonly marketingConsent: boolean | null;
  /** ISO 639-1, what the profile said at the end of the day */
  readonly language: string | null;
}

/** What a customer told about themselves, as of now; key = user id as text. */
export interface SilverCustomerProfiles {
  /** id of the user whose profile it is */
  readonly userId: number;
  /** 'under-18', '18-24' ... '65+', 'unknown' */
  readonly ageBand: string;
  /** whether marketing may write to them */
  readonly marketingConsent: boolean;
  /** ISO 639-1, lower case */
  readonly language: string | null;
  /** null where the customer has not said */
  readonly newsletter: boolean | null;
  /** when the row was made in the shop's database; ms since the epoch */
  readonly createdAt: number;
  /** when the row was last changed in the shop's database; ms since the epoch */
  readonly updatedAt: number;
}

/** An item as of now; key = item id as text. */
export interface SilverItems {
  /** id in the shop */
  readonly itemId: number;
  /** as the shop writes it */
  readonly title: string;
  /** lower case, 'unknown' where the shop has none */
  readonly category: string;
  /** of one unit, in the shop's currency; unscaled, 2 digits after the point */
  readonly price: bigint;
  /** is for sale */
  readonly active: boolean;
  /** when it came into the shop; ms since the epoch */
  readonly createdAt: number;
  /** event time of the change that made this version; ms since the epoch */
  readonly updatedAt: number;
}

/** An attempt to log in, with the user as known then; key = user id as text. */
export interface SilverLoginsEnriched {
  /** of the attempt */
  readonly eventId: string;
  /** whose name was given */
  readonly userId: number;
  /** event time; ms since the epoch */
  readonly occurredAt: number;
  /** whether it was the right password */
  readonly succeeded: boolean;
  /** in lower case */
  readonly method: string;
  /** where from: ISO 3166 alpha-2 in upper case */
  readonly country: string | null;
  /** what with, in lower case */
  readonly device: string | null;
  /** where from, degrees north */
  readonly latitude: number | null;
  /** degrees east */
  readonly longitude: number | null;
  /** of the user, null where the shop does not know it */
  readonly homeCountry: string | null;
  /** when the user came to the shop, null for nobody it knows; ms since the epoch */
  readonly registeredAt: number | null;
}

/** A view of an item with the item as it was then; key = item id as text. */
export interface SilverPageviewsByItems {
  /** given by the app; the same event sent again has the same */
  readonly eventId: string;
  /** the item that was viewed */
  readonly itemId: number;
  /** as of the view; null where the item was not known then */
  readonly title: string | null;
  /** as of the view, 'unknown' where the item was not known then */
  readonly category: string;
  /** normalised: direct, search, social, email, ads, referral, other */
  readonly channel: string;
  /** who viewed it, when signed in */
  readonly userId: number | null;
  /** of the device */
  readonly anonymousId: string;
  /** event time; ms since the epoch */
  readonly occurredAt: number;
}

/** A purchase with its item and its user as they were at its event time; key = purchase id as text. */
export interface SilverPurchasesEnriched {
  /** id in the shop */
  readonly purchaseId: number;
  /** who bought */
  readonly userId: number;
  /** what was bought */
  readonly itemId: number;
  /** units */
  readonly quantity: number;
  /** in the shop's currency; unscaled, 2 digits after the point */
  readonly unitPrice: bigint;
  /** quantity x unit price; unscaled, 2 digits after the point */
  readonly revenue: bigint;
  /** as of the purchase; null where the item was not known then */
  readonly title: string | null;
  /** 'unknown' where the item was not known then */
  readonly category: string;
  /** 'unknown' where the user was not known then */
  readonly country: string;
  /** '18-24' ... '65+', 'unknown' */
  readonly ageBand: string;
  /** event time; ms since the epoch */
  readonly purchasedAt: number;
}

/** A visit that is over: what a user, or an anonymous visitor, did until nothing came for 30 minutes; key = visitor|startedAt. */
export interface SilverSessions {
  /** 'user:<user id>' or 'anonymous:<anonymous id>' */
  readonly visitor: string;
  /** null for an anonymous visitor */
  readonly userId: number | null;
  /** of the first event; ms since the epoch */
  readonly startedAt: number;
  /** of the last event; ms since the epoch */
  readonly endedAt: number;
  /** of the first view or change of a cart, normalised: direct, search, social, email, ads, referral, other; 'unknown' where there are only purchases */
  readonly entryChannel: string;
  /** of pages */
  readonly views: number;
  /** how often something was put into the cart */
  readonly cartAdds: number;
  /** how many purchases */
  readonly orders: number;
  /** of all purchases, in the currency of the shop; unscaled, 2 digits after the point */
  readonly revenue: bigint;
  /** at least one order */
  readonly converted: boolean;
}

/** A user as of now; key = user id as text. */
export interface SilverUsers {
  /** id in the shop */
  readonly userId: number;
  /** lower case */
  readonly email: string | null;
  /** trimmed; null for nothing */
  readonly name: string | null;
  /** ISO 3166 alpha-2, upper case */
  readonly country: string | null;
  /** null when not given; days since the epoch */
  readonly birthDate: number | null;
  /** when the user came; ms since the epoch */
  readonly createdAt: number;
  /** event time of the change that made this version; ms since the epoch */
  readonly updatedAt: number;
}

/** The type of each schema, by the name of its file. */
export interface SchemaTypes {
  readonly 'bronze.app.cart_events': BronzeAppCartEvents;
  readonly 'bronze.app.logins': BronzeAppLogins;
  readonly 'bronze.app.pageviews': BronzeAppPageviews;
  readonly 'bronze.app.purchase_events': BronzeAppPurchaseEvents;
  readonly 'bronze.app.registrations': BronzeAppRegistrations;
  readonly 'bronze.app.session_recordings': BronzeAppSessionRecordings;
  readonly 'bronze.ops.system_load': BronzeOpsSystemLoad;
  readonly 'bronze.shop.customer_profiles': BronzeShopCustomerProfiles;
  readonly 'bronze.shop.customer_profiles-key': BronzeShopCustomerProfilesKey;
  readonly 'bronze.shop.items': BronzeShopItems;
  readonly 'bronze.shop.items-key': BronzeShopItemsKey;
  readonly 'bronze.shop.purchases': BronzeShopPurchases;
  readonly 'bronze.shop.purchases-key': BronzeShopPurchasesKey;
  readonly 'bronze.shop.users': BronzeShopUsers;
  readonly 'bronze.shop.users-key': BronzeShopUsersKey;
  readonly 'gold.conversion_funnel': GoldConversionFunnel;
  readonly 'gold.customer_behaviour': GoldCustomerBehaviour;
  readonly 'gold.daily_product_performance': GoldDailyProductPerformance;
  readonly 'gold.login_anomalies': GoldLoginAnomalies;
  readonly 'gold.monthly_purchase_summary': GoldMonthlyPurchaseSummary;
  readonly 'gold.order_trends': GoldOrderTrends;
  readonly 'gold.pageviews_by_channel': GoldPageviewsByChannel;
  readonly 'gold.registrations_hourly': GoldRegistrationsHourly;
  readonly 'gold.sales_perf_24h': GoldSalesPerf24h;
  readonly 'gold.segment_changes': GoldSegmentChanges;
  readonly 'gold.system_load_5m': GoldSystemLoad5m;
  readonly 'gold.top_converting_items': GoldTopConvertingItems;
  readonly 'gold.top_selling_items': GoldTopSellingItems;
  readonly 'gold.user_engagement_segments': GoldUserEngagementSegments;
  readonly 'silver.customer_profiles': SilverCustomerProfiles;
  readonly 'silver.items': SilverItems;
  readonly 'silver.logins_enriched': SilverLoginsEnriched;
  readonly 'silver.pageviews_by_items': SilverPageviewsByItems;
  readonly 'silver.purchases_enriched': SilverPurchasesEnriched;
  readonly 'silver.sessions': SilverSessions;
  readonly 'silver.users': SilverUsers;
}

/** The text of each schema, parsed. */
export const definitions: Readonly<Record<keyof SchemaTypes, object>> = {
  'bronze.app.cart_events': {"type":"record","name":"CartEvents","namespace":"bronze.app","doc":"Something was put into a cart or taken out of it.","fields":[{"name":"eventId","type":{"type":"string","logicalType":"uuid"}},{"name":"userId","type":["null","long"],"default":null},{"name":"anonymousId","type":"string"},{"name":"sessionId","type":["null","string"],"default":null},{"name":"occurredAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"event time: when it happened at the sender"},{"name":"receivedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"when the collector received it"},{"name":"action","type":"string","doc":"'add' or 'remove', as the sender wrote it"},{"name":"itemId","type":"long"},{"name":"quantity","type":"int"},{"name":"channel","type":["null","string"],"doc":"marketing channel as the sender wrote it","default":null}]},
  'bronze.app.logins': {"type":"record","name":"Logins","namespace":"bronze.app","doc":"Somebody tried to log in.","fields":[{"name":"eventId","type":{"type":"string","logicalType":"uuid"}},{"name":"userId","type":["null","long"],"default":null},{"name":"anonymousId","type":"string"},{"name":"sessionId","type":["null","string"],"default":null},{"name":"occurredAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"event time: when it happened at the sender"},{"name":"receivedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"when the collector received it"},{"name":"succeeded","type":"boolean"},{"name":"method","type":"string","doc":"'password', 'google' or 'apple', as the sender wrote it"},{"name":"country","type":["null","string"],"doc":"where from, as the sender wrote it","default":null},{"name":"device","type":["null","string"],"doc":"what with, as the sender wrote it","default":null},{"name":"latitude","type":["null","double"],"doc":"where from, degrees north, as the app's edge has located the sender","default":null},{"name":"longitude","type":["null","double"],"doc":"where from, degrees east","default":null}]},
  'bronze.app.pageviews': {"type":"record","name":"Pageviews","namespace":"bronze.app","doc":"A page was viewed.","fields":[{"name":"eventId","type":{"type":"string","logicalType":"uuid"}},{"name":"userId","type":["null","long"],"default":null},{"name":"anonymousId","type":"string"},{"name":"sessionId","type":["null","string"],"default":null},{"name":"occurredAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"event time: when it happened at the sender"},{"name":"receivedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"when the collector received it"},{"name":"url","type":"string"},{"name":"itemId","type":["null","long"],"doc":"the item shown, null on other pages","default":null},{"name":"channel","type":["null","string"],"doc":"marketing channel as the sender wrote it","default":null},{"name":"referrer","type":["null","string"],"default":null}]},
  'bronze.app.purchase_events': {"type":"record","name":"PurchaseEvents","namespace":"bronze.app","doc":"Something was bought, as the app says; the shop's database may say it too, under the same purchase id.","fields":[{"name":"eventId","type":{"type":"string","logicalType":"uuid"}},{"name":"userId","type":"long"},{"name":"anonymousId","type":"string"},{"name":"sessionId","type":["null","string"],"default":null},{"name":"occurredAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"event time: when it happened at the sender"},{"name":"receivedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"when the collector received it"},{"name":"purchaseId","type":"long","doc":"as in bronze.shop.purchases"},{"name":"itemId","type":"long"},{"name":"quantity","type":"int","doc":"at least 1"},{"name":"unitPriceCents","type":"long","doc":"at least 0"}]},
  'bronze.app.registrations': {"type":"record","name":"Registrations","namespace":"bronze.app","doc":"A person registered.","fields":[{"name":"eventId","type":{"type":"string","logicalType":"uuid"}},{"name":"userId","type":["null","long"],"default":null},{"name":"anonymousId","type":"string"},{"name":"sessionId","type":["null","string"],"default":null},{"name":"occurredAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"event time: when it happened at the sender"},{"name":"receivedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"when the collector received it"},{"name":"email","type":["null","string"],"default":null},{"name":"country","type":["null","string"],"doc":"as the sender wrote it","default":null},{"name":"channel","type":["null","string"],"default":null}]},
  'bronze.app.session_recordings': {"type":"record","name":"SessionRecordings","namespace":"bronze.app","doc":"A piece of the recording of a visit is there: how long it is, what happened in it and where it lies; the recording itself goes past Kafka.","fields":[{"name":"eventId","type":{"type":"string","logicalType":"uuid"}},{"name":"userId","type":["null","long"],"default":null},{"name":"anonymousId","type":"string"},{"name":"sessionId","type":"string","doc":"of the visit that is recorded"},{"name":"occurredAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"event time: when the piece began at the sender"},{"name":"receivedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"when the collector received it"},{"name":"part","type":"int","doc":"number of the piece in its visit, from 0"},{"name":"durationMs","type":"int","doc":"length of the piece, ms"},{"name":"clicks","type":"int"},{"name":"keyPresses","type":"int","doc":"how many; not which"},{"name":"bytes","type":"int","doc":"size of the piece where it lies"},{"name":"location","type":"string","doc":"where the piece lies, as a path in the store of recordings"}]},
  'bronze.ops.system_load': {"type":"record","name":"SystemLoad","namespace":"bronze.ops","doc":"How busy a host is at an instant.","fields":[{"name":"eventId","type":{"type":"string","logicalType":"uuid"}},{"name":"occurredAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"event time: when it was measured"},{"name":"receivedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"when the collector received it"},{"name":"host","type":"string","doc":"as the host calls itself"},{"name":"cpuPermille","type":"int","doc":"of all its processors' time, 0 to 1000"},{"name":"memoryPermille","type":"int","doc":"of all its memory, 0 to 1000"}]},
  'bronze.shop.customer_profiles': {"type":"record","name":"Envelope","namespace":"bronze.shop.customer_profiles","doc":"Debezium's change envelope of table shop.customer_profiles: the fields that Sluice reads.","fields":[{"name":"before","type":["null",{"type":"record","name":"Value","fields":[{"name":"user_id","type":"long"},{"name":"age_band","type":["null","string"],"default":null},{"name":"marketing_consent","type":"int","doc":"TINYINT(1): 0 or 1"},{"name":"preferences","type":["null","string"],"doc":"JSON","default":null},{"name":"created_at","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"updated_at","type":{"type":"long","logicalType":"timestamp-millis"}}]}],"default":null},{"name":"after","type":["null","Value"],"default":null},{"name":"source","type":{"type":"record","name":"Source","fields":[{"name":"ts_ms","type":"long","doc":"time of the change in the database, ms"},{"name":"snapshot","type":["null","string"],"doc":"'first', 'true', 'last' for rows of a snapshot; null or 'false' otherwise","default":null},{"name":"db","type":"string"},{"name":"table","type":["null","string"],"default":null},{"name":"gtid","type":["null","string"],"default":null},{"name":"file","type":"string"},{"name":"pos","type":"long"},{"name":"row","type":"int"}]}},{"name":"op","type":"string","doc":"c create, u update, d delete, r snapshot"},{"name":"ts_ms","type":["null","long"],"doc":"when the connector handled the change, ms","default":null}]},
  'bronze.shop.customer_profiles-key': {"type":"record","name":"Key","namespace":"bronze.shop.customer_profiles","fields":[{"name":"user_id","type":"long"}]},
  'bronze.shop.items': {"type":"record","name":"Envelope","namespace":"bronze.shop.items","doc":"Debezium's change envelope of table shop.items: the fields that Sluice reads.","fields":[{"name":"before","type":["null",{"type":"record","name":"Value","fields":[{"name":"id","type":"long"},{"name":"title","type":"string"},{"name":"category","type":["null","string"],"default":null},{"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},{"name":"active","type":"int","doc":"TINYINT(1): 0 or 1"},{"name":"created_at","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"updated_at","type":{"type":"long","logicalType":"timestamp-millis"}}]}],"default":null},{"name":"after","type":["null","Value"],"default":null},{"name":"source","type":{"type":"record","name":"Source","fields":[{"name":"ts_ms","type":"long","doc":"time of the change in the database, ms"},{"name":"snapshot","type":["null","string"],"doc":"'first', 'true', 'last' for rows of a snapshot; null or 'false' otherwise","default":null},{"name":"db","type":"string"},{"name":"table","type":["null","string"],"default":null},{"name":"gtid","type":["null","string"],"default":null},{"name":"file","type":"string"},{"name":"pos","type":"long"},{"name":"row","type":"int"}]}},{"name":"op","type":"string","doc":"c create, u update, d delete, r snapshot"},{"name":"ts_ms","type":["null","long"],"doc":"when the connector handled the change, ms","default":null}]},
  'bronze.shop.items-key': {"type":"record","name":"Key","namespace":"bronze.shop.items","fields":[{"name":"id","type":"long"}]},
  'bronze.shop.purchases': {"type":"record","name":"Envelope","namespace":"bronze.shop.purchases","doc":"Debezium's change envelope of table shop.purchases: the fields that Sluice reads.","fields":[{"name":"before","type":["null",{"type":"record","name":"Value","fields":[{"name":"id","type":"long"},{"name":"user_id","type":"long"},{"name":"item_id","type":"long"},{"name":"quantity","type":"int"},{"name":"unit_price","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},{"name":"created_at","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"updated_at","type":{"type":"long","logicalType":"timestamp-millis"}}]}],"default":null},{"name":"after","type":["null","Value"],"default":null},{"name":"source","type":{"type":"record","name":"Source","fields":[{"name":"ts_ms","type":"long","doc":"time of the change in the database, ms"},{"name":"snapshot","type":["null","string"],"doc":"'first', 'true', 'last' for rows of a snapshot; null or 'false' otherwise","default":null},{"name":"db","type":"string"},{"name":"table","type":["null","string"],"default":null},{"name":"gtid","type":["null","string"],"default":null},{"name":"file","type":"string"},{"name":"pos","type":"long"},{"name":"row","type":"int"}]}},{"name":"op","type":"string","doc":"c create, u update, d delete, r snapshot"},{"name":"ts_ms","type":["null","long"],"doc":"when the connector handled the change, ms","default":null}]},
  'bronze.shop.purchases-key': {"type":"record","name":"Key","namespace":"bronze.shop.purchases","fields":[{"name":"id","type":"long"}]},
  'bronze.shop.users': {"type":"record","name":"Envelope","namespace":"bronze.shop.users","doc":"Debezium's change envelope of table shop.users: the fields that Sluice reads.","fields":[{"name":"before","type":["null",{"type":"record","name":"Value","fields":[{"name":"id","type":"long"},{"name":"email","type":["null","string"],"default":null},{"name":"full_name","type":["null","string"],"default":null},{"name":"country","type":["null","string"],"default":null},{"name":"birth_date","type":["null",{"type":"int","logicalType":"date"}],"default":null},{"name":"created_at","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"updated_at","type":{"type":"long","logicalType":"timestamp-millis"}}]}],"default":null},{"name":"after","type":["null","Value"],"default":null},{"name":"source","type":{"type":"record","name":"Source","fields":[{"name":"ts_ms","type":"long","doc":"time of the change in the database, ms"},{"name":"snapshot","type":["null","string"],"doc":"'first', 'true', 'last' for rows of a snapshot; null or 'false' otherwise","default":null},{"name":"db","type":"string"},{"name":"table","type":["null","string"],"default":null},{"name":"gtid","type":["null","string"],"default":null},{"name":"file","type":"string"},{"name":"pos","type":"long"},{"name":"row","type":"int"}]}},{"name":"op","type":"string","doc":"c create, u update, d delete, r snapshot"},{"name":"ts_ms","type":["null","long"],"doc":"when the connector handled the change, ms","default":null}]},
  'bronze.shop.users-key': {"type":"record","name":"Key","namespace":"bronze.shop.users","fields":[{"name":"id","type":"long"}]},
  'gold.conversion_funnel': {"type":"record","name":"ConversionFunnel","namespace":"gold","doc":"How many sessions of a calendar day in the shop's time zone went from viewing to buying, per entry channel. A session counts on the day on which it ended.","fields":[{"name":"windowStart","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"inclusive"},{"name":"windowEnd","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"exclusive"},{"name":"channel","type":"string","doc":"entry channel of the sessions; 'unknown' where nobody saw more of them than purchases"},{"name":"sessions","type":"long","doc":"all of them"},{"name":"viewed","type":"long","doc":"those with a pageview"},{"name":"carted","type":"long","doc":"of those, with something put into the cart"},{"name":"purchased","type":"long","doc":"of those, with an order"},{"name":"orders","type":"long","doc":"of all sessions, whatever steps they took"},{"name":"revenue","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":2},"doc":"of all sessions, whatever steps they took, in the currency of the shop"},{"name":"conversionRate","type":{"type":"bytes","logicalType":"decimal","precision":5,"scale":4},"doc":"purchased / viewed, rounded half up; 0 without views"}]},
  'gold.customer_behaviour': {"type":"record","name":"CustomerBehaviour","namespace":"gold","doc":"What a user has done in the shop so far; key = user id as text.","fields":[{"name":"userId","type":"long","doc":"id of the user"},{"name":"lastOrderAt","type":["null",{"type":"long","logicalType":"timestamp-millis"}],"doc":"recency: how long ago that is, the clock of the reader says","default":null},{"name":"orders","type":"long","doc":"frequency"},{"name":"revenue","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":2},"doc":"monetary value"},{"name":"averageOrderValue","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":2},"doc":"revenue / orders, rounded half up; 0 without orders"},{"name":"sessions","type":"long","doc":"those that are over"},{"name":"lastSeenAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"end of the last session, or the last order"}]},
  'gold.daily_product_performance': {"type":"record","name":"DailyProductPerformance","namespace":"gold","doc":"What became of an item on a calendar day in the shop's time zone.","fields":[{"name":"windowStart","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"inclusive"},{"name":"windowEnd","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"exclusive"},{"name":"itemId","type":"long","doc":"id of the item"},{"name":"views","type":"long","doc":"how often it was viewed"},{"name":"cartAdds","type":"long","doc":"how often it was put into a cart"},{"name":"orders","type":"long","doc":"how many purchases of it"},{"name":"units","type":"long","doc":"how many pieces of it were sold"},{"name":"revenue","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":2},"doc":"of these purchases, in the currency of the shop"}]},
  'gold.login_anomalies': {"type":"record","name":"LoginAnomalies","namespace":"gold","doc":"A login that somebody else than the user may have made, per rule that it broke; key = eventId|rule.","fields":[{"name":"eventId","type":{"type":"string","logicalType":"uuid"},"doc":"of the login"},{"name":"rule","type":"string","doc":"'brute_force', 'impossible_travel' or 'new_device_and_country'"},{"name":"userId","type":"long","doc":"whose name was given"},{"name":"occurredAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"of the login"},{"name":"country","type":["null","string"],"doc":"where from: ISO 3166 alpha-2","default":null},{"name":"device","type":["null","string"],"doc":"what with","default":null},{"name":"homeCountry","type":["null","string"],"doc":"of the user, where the shop knows it","default":null},{"name":"failures","type":["null","int"],"doc":"brute_force: failed attempts before it","default":null},{"name":"previousAt","type":["null",{"type":"long","logicalType":"timestamp-millis"}],"doc":"impossible_travel: of the login before it","default":null},{"name":"distanceKm","type":["null","int"],"doc":"impossible_travel: from there, along a great circle","default":null}]},
  'gold.monthly_purchase_summary': {"type":"record","name":"MonthlyPurchaseSummary","namespace":"gold","doc":"Purchases of a calendar month in the shop's time zone, per user and category.","fields":[{"name":"windowStart","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"inclusive"},{"name":"windowEnd","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"exclusive"},{"name":"userId","type":"long","doc":"who bought"},{"name":"category","type":"string","doc":"of the items, 'unknown' where it was not known"},{"name":"orders","type":"long","doc":"purchases"},{"name":"units","type":"long","doc":"sum of their quantities"},{"name":"revenue","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":2},"doc":"sum of quantity x unit price, in the shop's currency"}]},
  'gold.order_trends': {"type":"record","name":"OrderTrends","namespace":"gold","doc":"Orders of a calendar day or week in the shop's time zone, per category, beside those of the period before. Of a period that is not over: so far.","fields":[{"name":"windowStart","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"inclusive; weeks begin on Monday"},{"name":"windowEnd","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"exclusive"},{"name":"period","type":"string","doc":"'day' or 'week'"},{"name":"category","type":"string","doc":"of the items, as of each purchase"},{"name":"orders","type":"long","doc":"at least 1"},{"name":"units","type":"long","doc":"how many pieces were sold"},{"name":"revenue","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":2},"doc":"of the orders, in the currency of the shop"},{"name":"previousOrders","type":"long","doc":"orders of the period before"},{"name":"previousUnits","type":"long","doc":"units of the period before"},{"name":"previousRevenue","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":2},"doc":"revenue of the period before"},{"name":"revenueChange","type":["null",{"type":"bytes","logicalType":"decimal","precision":18,"scale":4}],"doc":"(revenue - previousRevenue) / previousRevenue, rounded half up; null where there was none","default":null}]},
  'gold.pageviews_by_channel': {"type":"record","name":"PageviewsByChannel","namespace":"gold","doc":"Views of items per hour and channel.","fields":[{"name":"windowStart","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"inclusive"},{"name":"windowEnd","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"exclusive"},{"name":"channel","type":"string","doc":"direct, search, social, email, ads, referral or other"},{"name":"views","type":"long","doc":"views of items, each event once"}]},
  'gold.registrations_hourly': {"type":"record","name":"RegistrationsHourly","namespace":"gold","doc":"Registrations per hour, every 15 minutes, per country.","fields":[{"name":"windowStart","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"inclusive"},{"name":"windowEnd","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"exclusive"},{"name":"country","type":"string","doc":"ISO 3166 alpha-2, upper case, or 'unknown'"},{"name":"registrations","type":"long","doc":"registrations, each event once"}]},
  'gold.sales_perf_24h': {"type":"record","name":"SalesPerf24h","namespace":"gold","doc":"Sales of the 24 hours before windowEnd, every hour, per category and country.","fields":[{"name":"windowStart","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"inclusive"},{"name":"windowEnd","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"exclusive"},{"name":"category","type":"string","doc":"of the items, 'unknown' where it was not known"},{"name":"country","type":"string","doc":"of the buyers, ISO 3166 alpha-2, or 'unknown'"},{"name":"orders","type":"long","doc":"purchases"},{"name":"units","type":"long","doc":"sum of their quantities"},{"name":"revenue","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":2},"doc":"sum of quantity x unit price, in the shop's currency"},{"name":"averageOrderValue","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":2},"doc":"revenue / orders, rounded half up"}]},
  'gold.segment_changes': {"type":"record","name":"SegmentChanges","namespace":"gold","doc":"A user who has come into another segment by the end of a calendar day in the shop's time zone; key = user id as text.","fields":[{"name":"windowStart","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"of the day, inclusive"},{"name":"windowEnd","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"of the day, exclusive: the change is known from then on"},{"name":"userId","type":"long","doc":"who it is"},{"name":"fromSegment","type":["null","string"],"doc":"that of the day before; null for one of whom nothing was known","default":null},{"name":"toSegment","type":"string","doc":"'new', 'active', 'engaged', 'buyer', 'loyal', 'at_risk' or 'dormant'"},{"name":"reason","type":"string","doc":"what put the user there, for people"}]},
  'gold.system_load_5m': {"type":"record","name":"SystemLoad5m","namespace":"gold","doc":"How busy a host was in five minutes; averages rounded, halves up; p95: the least value that 95 of 100 samples do not exceed.","fields":[{"name":"windowStart","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"inclusive"},{"name":"windowEnd","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"exclusive"},{"name":"host","type":"string","doc":"in lower case"},{"name":"samples","type":"long","doc":"number of measurements"},{"name":"cpuAverage","type":"int","doc":"of all its processors' time, permille"},{"name":"cpuP95","type":"int","doc":"permille, exact"},{"name":"cpuMax","type":"int","doc":"permille"},{"name":"memoryAverage","type":"int","doc":"of all its memory, permille"},{"name":"memoryP95","type":"int","doc":"permille, exact"},{"name":"memoryMax","type":"int","doc":"permille"}]},
  'gold.top_converting_items': {"type":"record","name":"TopConvertingItems","namespace":"gold","doc":"The ten items that were bought most often for each time they were viewed, in the 24 hours before windowEnd, every hour.","fields":[{"name":"windowStart","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"inclusive"},{"name":"windowEnd","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"exclusive"},{"name":"rank","type":"int","doc":"from 1; ties by item id"},{"name":"itemId","type":"long","doc":"id of the item"},{"name":"title","type":["null","string"],"doc":"as of the last view of the window","default":null},{"name":"category","type":"string","doc":"as of the last view of the window"},{"name":"views","type":"long","doc":"at least 5"},{"name":"orders","type":"long","doc":"at least 1"},{"name":"conversionRate","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":4},"doc":"orders / views, rounded half up; above 1 when an item is bought more often than viewed"}]},
  'gold.top_selling_items': {"type":"record","name":"TopSellingItems","namespace":"gold","doc":"The ten items that sold best in an hour or a day, by revenue and by units.","fields":[{"name":"windowStart","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"inclusive"},{"name":"windowEnd","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"exclusive"},{"name":"period","type":"string","doc":"'hour', or 'day' in the shop's time zone"},{"name":"rankedBy","type":"string","doc":"'revenue' or 'units'; ties by item id"},{"name":"rank","type":"int","doc":"from 1"},{"name":"itemId","type":"long","doc":"the item in this place"},{"name":"title","type":["null","string"],"doc":"as of the last purchase of the window","default":null},{"name":"category","type":"string","doc":"as of the last purchase of the window"},{"name":"orders","type":"long","doc":"purchases of the item in the window"},{"name":"units","type":"long","doc":"sum of their quantities"},{"name":"revenue","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":2},"doc":"sum of quantity x unit price, in the shop's currency"}]},
  'gold.user_engagement_segments': {"type":"record","name":"UserEngagementSegments","namespace":"gold","doc":"Which segment a user was in when a calendar day in the shop's time zone was over, what shows it, and the user's profile then; key = windowStart|userId.","fields":[{"name":"windowStart","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"of the day, inclusive"},{"name":"windowEnd","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"of the day, exclusive"},{"name":"userId","type":"long","doc":"who it is"},{"name":"segment","type":"string","doc":"'new', 'active', 'engaged', 'buyer', 'loyal', 'at_risk' or 'dormant', by processors/gold/segment-rules.ts"},{"name":"previousSegment","type":["null","string"],"doc":"that of the day before; null on the first day, and again after 90 days without a sign","default":null},{"name":"reason","type":"string","doc":"what put the user there, for people"},{"name":"daysSinceSeen","type":"long","doc":"days since the last session ended; 0: on this day"},{"name":"activeDays7d","type":"long","doc":"days of the last 7, this one included, on which a session ended"},{"name":"orders30d","type":"long","doc":"in sessions that ended within the last 30 days"},{"name":"orderDays90d","type":"long","doc":"days of the last 90 on which a session with an order ended"},{"name":"revenue90d","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":2},"doc":"of sessions that ended within the last 90 days, in the currency of the shop"},{"name":"ageBand","type":"string","doc":"what the profile said at the end of the day; 'unknown' without one"},{"name":"marketingConsent","type":["null","boolean"],"doc":"what the profile said at the end of the day; null without one","default":null},{"name":"language","type":["null","string"],"doc":"ISO 639-1, what the profile said at the end of the day","default":null}]},
  'silver.customer_profiles': {"type":"record","name":"CustomerProfiles","namespace":"silver","doc":"What a customer told about themselves, as of now; key = user id as text.","fields":[{"name":"userId","type":"long","doc":"id of the user whose profile it is"},{"name":"ageBand","type":"string","doc":"'under-18', '18-24' ... '65+', 'unknown'"},{"name":"marketingConsent","type":"boolean","doc":"whether marketing may write to them"},{"name":"language","type":["null","string"],"doc":"ISO 639-1, lower case","default":null},{"name":"newsletter","type":["null","boolean"],"doc":"null where the customer has not said","default":null},{"name":"createdAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"when the row was made in the shop's database"},{"name":"updatedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"when the row was last changed in the shop's database"}]},
  'silver.items': {"type":"record","name":"Items","namespace":"silver","doc":"An item as of now; key = item id as text.","fields":[{"name":"itemId","type":"long","doc":"id in the shop"},{"name":"title","type":"string","doc":"as the shop writes it"},{"name":"category","type":"string","doc":"lower case, 'unknown' where the shop has none"},{"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2},"doc":"of one unit, in the shop's currency"},{"name":"active","type":"boolean","doc":"is for sale"},{"name":"createdAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"when it came into the shop"},{"name":"updatedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"event time of the change that made this version"}]},
  'silver.logins_enriched': {"type":"record","name":"LoginsEnriched","namespace":"silver","doc":"An attempt to log in, with the user as known then; key = user id as text.","fields":[{"name":"eventId","type":{"type":"string","logicalType":"uuid"},"doc":"of the attempt"},{"name":"userId","type":"long","doc":"whose name was given"},{"name":"occurredAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"event time"},{"name":"succeeded","type":"boolean","doc":"whether it was the right password"},{"name":"method","type":"string","doc":"in lower case"},{"name":"country","type":["null","string"],"doc":"where from: ISO 3166 alpha-2 in upper case","default":null},{"name":"device","type":["null","string"],"doc":"what with, in lower case","default":null},{"name":"latitude","type":["null","double"],"doc":"where from, degrees north","default":null},{"name":"longitude","type":["null","double"],"doc":"degrees east","default":null},{"name":"homeCountry","type":["null","string"],"doc":"of the user, null where the shop does not know it","default":null},{"name":"registeredAt","type":["null",{"type":"long","logicalType":"timestamp-millis"}],"doc":"when the user came to the shop, null for nobody it knows","default":null}]},
  'silver.pageviews_by_items': {"type":"record","name":"PageviewsByItems","namespace":"silver","doc":"A view of an item with the item as it was then; key = item id as text.","fields":[{"name":"eventId","type":{"type":"string","logicalType":"uuid"},"doc":"given by the app; the same event sent again has the same"},{"name":"itemId","type":"long","doc":"the item that was viewed"},{"name":"title","type":["null","string"],"doc":"as of the view; null where the item was not known then","default":null},{"name":"category","type":"string","doc":"as of the view, 'unknown' where the item was not known then"},{"name":"channel","type":"string","doc":"normalised: direct, search, social, email, ads, referral, other"},{"name":"userId","type":["null","long"],"doc":"who viewed it, when signed in","default":null},{"name":"anonymousId","type":"string","doc":"of the device"},{"name":"occurredAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"event time"}]},
  'silver.purchases_enriched': {"type":"record","name":"PurchasesEnriched","namespace":"silver","doc":"A purchase with its item and its user as they were at its event time; key = purchase id as text.","fields":[{"name":"purchaseId","type":"long","doc":"id in the shop"},{"name":"userId","type":"long","doc":"who bought"},{"name":"itemId","type":"long","doc":"what was bought"},{"name":"quantity","type":"int","doc":"units"},{"name":"unitPrice","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2},"doc":"in the shop's currency"},{"name":"revenue","type":{"type":"bytes","logicalType":"decimal","precision":14,"scale":2},"doc":"quantity x unit price"},{"name":"title","type":["null","string"],"doc":"as of the purchase; null where the item was not known then","default":null},{"name":"category","type":"string","doc":"'unknown' where the item was not known then"},{"name":"country","type":"string","doc":"'unknown' where the user was not known then"},{"name":"ageBand","type":"string","doc":"'18-24' ... '65+', 'unknown'"},{"name":"purchasedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"event time"}]},
  'silver.sessions': {"type":"record","name":"Sessions","namespace":"silver","doc":"A visit that is over: what a user, or an anonymous visitor, did until nothing came for 30 minutes; key = visitor|startedAt.","fields":[{"name":"visitor","type":"string","doc":"'user:<user id>' or 'anonymous:<anonymous id>'"},{"name":"userId","type":["null","long"],"doc":"null for an anonymous visitor","default":null},{"name":"startedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"of the first event"},{"name":"endedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"of the last event"},{"name":"entryChannel","type":"string","doc":"of the first view or change of a cart, normalised: direct, search, social, email, ads, referral, other; 'unknown' where there are only purchases"},{"name":"views","type":"long","doc":"of pages"},{"name":"cartAdds","type":"long","doc":"how often something was put into the cart"},{"name":"orders","type":"long","doc":"how many purchases"},{"name":"revenue","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":2},"doc":"of all purchases, in the currency of the shop"},{"name":"converted","type":"boolean","doc":"at least one order"}]},
  'silver.users': {"type":"record","name":"Users","namespace":"silver","doc":"A user as of now; key = user id as text.","fields":[{"name":"userId","type":"long","doc":"id in the shop"},{"name":"email","type":["null","string"],"doc":"lower case","default":null},{"name":"name","type":["null","string"],"doc":"trimmed; null for nothing","default":null},{"name":"country","type":["null","string"],"doc":"ISO 3166 alpha-2, upper case","default":null},{"name":"birthDate","type":["null",{"type":"int","logicalType":"date"}],"doc":"null when not given","default":null},{"name":"createdAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"when the user came"},{"name":"updatedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"event time of the change that made this version"}]},
};
