/** Which records become events in PostHog, and how. */
import { createHash } from 'node:crypto';
import type { Sink, SinkRecord, SinkStage, Topic } from '#topology';
import { topics } from '../topics.ts';

/** An event for product analytics. Two that are equal in uuid, event, timestamp and distinct id are the same event: the later one stays. */
export interface ProductEvent {
  readonly uuid: string;
  readonly event: string;
  readonly distinctId: string;
  /** ms since the epoch. */
  readonly timestamp: number;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** What product people look at: what visitors do, which segment that puts them in, and two summaries of it. */
export const postHogTopics = [
  topics.bronze.app.pageviews,
  topics.bronze.app.cartEvents,
  topics.bronze.app.logins,
  topics.bronze.app.registrations,
  topics.gold.registrationsHourly,
  topics.gold.monthlyPurchaseSummary,
  topics.gold.segmentChanges,
] as const;

/** The sink stage that carries them to PostHog. */
export function postHogSink(sink: Sink): SinkStage {
  return { name: 'posthog', topics: postHogTopics, sink };
}

/** Of Sluice's events in PostHog. Never to be changed: what is sent again would not be merged any more. */
const NAMESPACE = Buffer.from('6b0d0c5e2f7a4b8e9c3d51a7e4f20b96', 'hex');
/** Summaries are about nobody. */
const SUMMARIES = 'sluice-summaries';

/** `id` tells it from the other events of its key, where a key has several. */
type Body = Omit<ProductEvent, 'uuid'> & { readonly id?: number };
type Value<T> = T extends Topic<infer _K, infer V> ? V : never;
type AppEvent = {
  readonly userId: number | null;
  readonly anonymousId: string;
  readonly sessionId: string | null;
  readonly occurredAt: number;
};

/**
 * The event of a record, undefined for none. The same record gives the same event, always: event id or key and topic make the uuid, so an event that
 * was sent twice, the newer version of a row and a replay are merged.
 */
export function productEventOf(topic: string, record: SinkRecord): ProductEvent | undefined {
  const body = BODIES.get(topic);
  if (body === undefined || record.value === null) return undefined;
  const { id, ...event } = body(record.value);
  return { uuid: uuidOf([topic, String(record.key), ...(id === undefined ? [] : [id])].join('|')), ...event };
}

const BODIES: ReadonlyMap<string, (value: unknown) => Body> = new Map<string, (value: unknown) => Body>([
  [topics.bronze.app.pageviews.name, (value) => pageview(value as Value<typeof topics.bronze.app.pageviews>)],
  [topics.bronze.app.cartEvents.name, (value) => cartEvent(value as Value<typeof topics.bronze.app.cartEvents>)],
  [topics.bronze.app.logins.name, (value) => login(value as Value<typeof topics.bronze.app.logins>)],
  [
    topics.bronze.app.registrations.name,
    (value) => registration(value as Value<typeof topics.bronze.app.registrations>),
  ],
  [
    topics.gold.registrationsHourly.name,
    (value) => registrationsHourly(value as Value<typeof topics.gold.registrationsHourly>),
  ],
  [
    topics.gold.monthlyPurchaseSummary.name,
    (value) => monthlyPurchases(value as Value<typeof topics.gold.monthlyPurchaseSummary>),
  ],
  [topics.gold.segmentChanges.name, (value) => segmentChanged(value as Value<typeof topics.gold.segmentChanges>)],
]);

function pageview(value: Value<typeof topics.bronze.app.pageviews>): Body {
  return of('$pageview', value, {
    $current_url: value.url,
    $referrer: value.referrer,
    item_id: value.itemId,
    utm_source: value.channel,
  });
}

function cartEvent(value: Value<typeof topics.bronze.app.cartEvents>): Body {
  return of('cart changed', value, {
    action: value.action,
    item_id: value.itemId,
    quantity: value.quantity,
    utm_source: value.channel,
  });
}

function login(value: Value<typeof topics.bronze.app.logins>): Body {
  return of('login', value, {
    succeeded: value.succeeded,
    method: value.method,
    country: value.country,
    device: value.device,
  });
}

function registration(value: Value<typeof topics.bronze.app.registrations>): Body {
  const { email, country, channel } = value;
  return of('user registered', value, {
    country,
    utm_source: channel,
    $set: present({ email, country }),
    $set_once: present({ registered_at: new Date(value.occurredAt).toISOString(), registration_channel: channel }),
  });
}

function registrationsHourly(value: Value<typeof topics.gold.registrationsHourly>): Body {
  return summary('registrations hourly', value.windowEnd, value, {
    country: value.country,
    registrations: value.registrations,
  });
}

/** At the month's begin: PostHog sets what is more than 23 h ahead, as the end of this month is, to now, and then merges nothing. */
function monthlyPurchases(value: Value<typeof topics.gold.monthlyPurchaseSummary>): Body {
  return summary('monthly purchase summary', value.windowStart, value, {
    user_id: value.userId,
    category: value.category,
    orders: value.orders,
    units: value.units,
    // PostHog has floating point numbers only.
    revenue: Number(value.revenue) / 100,
  });
}

/** Of the user, who is a person of that segment from then on. Changes of one user come in their order: the last one stays. */
function segmentChanged(value: Value<typeof topics.gold.segmentChanges>): Body {
  const { windowStart, windowEnd, userId, fromSegment, toSegment, reason } = value;
  return {
    id: windowStart,
    event: 'segment changed',
    distinctId: String(userId),
    timestamp: windowEnd,
    properties: present({
      from_segment: fromSegment,
      to_segment: toSegment,
      reason,
      $set: { segment: toSegment, segment_since: new Date(windowStart).toISOString() },
    }),
  };
}

function of(event: string, value: AppEvent, properties: Readonly<Record<string, unknown>>): Body {
  return {
    event,
    distinctId: value.userId === null ? value.anonymousId : String(value.userId),
    timestamp: value.occurredAt,
    properties: present({ ...properties, anonymous_id: value.anonymousId, session_id: value.sessionId }),
  };
}

function summary(
  event: string,
  timestamp: number,
  { windowStart, windowEnd }: { readonly windowStart: number; readonly windowEnd: number },
  properties: Readonly<Record<string, unknown>>,
): Body {
  const window = { window_start: new Date(windowStart).toISOString(), window_end: new Date(windowEnd).toISOString() };
  return {
    event,
    distinctId: SUMMARIES,
    timestamp,
    properties: { ...properties, ...window, $process_person_profile: false },
  };
}

/** PostHog tells an absent property from one that is null. */
function present(properties: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== null));
}

/** UUID version 5 (RFC 9562): the same for the same name. */
function uuidOf(name: string): string {
  const hash = createHash('sha1').update(NAMESPACE).update(name).digest().subarray(0, 16);
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = hash.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
