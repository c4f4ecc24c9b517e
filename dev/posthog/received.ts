/** What a capture server has received, merged as PostHog merges it. */
import { randomUUID } from 'node:crypto';

/** An event as PostHog keeps it. */
export interface ReceivedEvent {
  readonly uuid: string;
  readonly event: string;
  readonly distinctId: string;
  /** ISO 8601, UTC, with milliseconds. */
  readonly timestamp: string;
  readonly properties: Readonly<Record<string, unknown>>;
  /** How often it was sent. */
  times: number;
}

/** A request that PostHog refuses, and how it answers. */
export class RefusedRequest extends Error {
  override name = 'RefusedRequest';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Parts of a body of posthog-node or posthog-js. */
type Json = Readonly<Record<string, unknown>>;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const MAX_DISTINCT_ID = 200;
/** Later than this is taken for a wrong clock: PostHog sets the timestamp to now. */
const AHEAD_MS = 23 * 3_600_000;
/** A day or two of the simulated shop. */
const MAX_EVENTS = 500_000;

export class Received {
  readonly #events = new Map<string, ReceivedEvent>();
  readonly #max: number;
  /** Events received, each as often as it came. */
  total = 0;
  /** Events that came again. */
  again = 0;
  /** The oldest, which were left out for newer ones. */
  forgotten = 0;

  constructor(max = MAX_EVENTS) {
    this.#max = max;
  }

  /** Takes all events of a body, or none. RefusedRequest as PostHog does. `now`: when it was received, ms. */
  take(body: unknown, now: number): number {
    const whole = isJson(body) ? body : undefined;
    const listed = whole?.['batch'] ?? (Array.isArray(body) ? body : [body]);
    if (!Array.isArray(listed)) throw new RefusedRequest(400, 'batch is no array');
    if (listed.length === 0) throw new RefusedRequest(400, 'empty batch');
    const events = listed.map((each: unknown) => eventOf(each, whole, now));
    for (const event of events) this.#keep(event);
    return events.length;
  }

  /** The merged ones, as they first came; of one event, and the last `limit` of them. */
  list({
    event,
    limit = Infinity,
  }: { readonly event?: string | undefined; readonly limit?: number } = {}): ReceivedEvent[] {
    const all = [...this.#events.values()].filter((each) => event === undefined || each.event === event);
    return limit >= all.length ? all : all.slice(all.length - limit);
  }

  #keep(event: ReceivedEvent): void {
    this.total += 1;
    const key = JSON.stringify([event.uuid, event.event, event.timestamp, event.distinctId]);
    const before = this.#events.get(key);
    if (before !== undefined) {
      this.again += 1;
      this.#events.set(key, { ...event, times: before.times + 1 });
      return;
    }
    this.#events.set(key, event);
    if (this.#events.size <= this.#max) return;
    const [oldest] = this.#events.keys();
    if (oldest !== undefined) this.#events.delete(oldest);
    this.forgotten += 1;
  }
}

function eventOf(raw: unknown, whole: Json | undefined, now: number): ReceivedEvent {
  if (!isJson(raw)) throw new RefusedRequest(400, 'an event is no object');
  const properties = isJson(raw['properties']) ? raw['properties'] : {};
  const key =
    textOf(whole?.['api_key']) ?? textOf(whole?.['token']) ?? textOf(raw['api_key']) ?? textOf(properties['token']);
  if (key === undefined) throw new RefusedRequest(401, 'API key missing');
  const event = textOf(raw['event']);
  if (event === undefined) throw new RefusedRequest(400, 'an event has no name');
  const distinctId = textOf(raw['distinct_id']) ?? textOf(properties['distinct_id']);
  if (distinctId === undefined) throw new RefusedRequest(400, 'an event has no distinct_id');
  const uuid = textOf(raw['uuid']) ?? textOf(properties['uuid']) ?? '';
  return {
    uuid: UUID.test(uuid) ? uuid.toLowerCase() : randomUUID(),
    event,
    distinctId: distinctId.slice(0, MAX_DISTINCT_ID),
    timestamp: timestampOf(raw, properties, whole, now),
    properties,
    times: 1,
  };
}

/** As PostHog: corrected by the sender's clock (unless told not to), and never far in the future. */
function timestampOf(raw: Json, properties: Json, whole: Json | undefined, now: number): string {
  const said = Date.parse(textOf(raw['timestamp']) ?? '');
  const sentAt = Date.parse(textOf(whole?.['sent_at']) ?? textOf(raw['sent_at']) ?? '');
  let at = Number.isNaN(said) ? now : said;
  if (!Number.isNaN(said) && !Number.isNaN(sentAt) && properties['$ignore_sent_at'] !== true)
    at = now + (said - sentAt);
  return new Date(at - now > AHEAD_MS ? now : at).toISOString();
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Numbers count as text, as distinct ids often are. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value.trim() !== '' ? value : undefined;
}
