/** Does a capture server have, after merging, exactly the events that bronze and gold demand? The rules are written down here a second time. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import {
  type KafkaClient,
  type Schema,
  type SerdeFactory,
  SluiceError,
  type TopicPartition,
  NotReadyError,
  RetriableError,
} from '#topology';
import type { ReceivedEvent } from '../posthog/received.ts';
import { some } from './progress.ts';
import { idOf, type Range, rangesOf, readTopics } from './read-topics.ts';

/** What it needs. `schemas`: of values under the topic's name. */
export interface PostHogOptions {
  readonly client: KafkaClient;
  readonly serdes: SerdeFactory;
  readonly schemas: Readonly<Record<string, Schema<unknown>>>;
  readonly app: string;
  /** Of the capture server. */
  readonly url: string;
  /** Wall clock, ms. */
  readonly deadline: number;
  progress(text: string): void;
}

/** What came of it. */
export interface PostHogResult {
  readonly events: number;
  readonly sentAgain: number;
  readonly missing: number;
  readonly extra: number;
  readonly different: number;
  readonly examples: readonly string[];
}

type Row = Readonly<Record<string, unknown>>;
interface Rule {
  readonly event: string;
  readonly about: 'visitor' | 'nobody';
  readonly time: string;
  /** Properties in PostHog and the fields that they come from; of all others only the identity is compared. */
  readonly fields: Readonly<Record<string, string>>;
  /** The same of what it sets of the person. */
  readonly person?: Readonly<Record<string, string>>;
  /** The field that tells events of one key apart. */
  readonly id?: string;
}

const NAMESPACE = '6b0d0c5e-2f7a-4b8e-9c3d-51a7e4f20b96';
const VISIT = { about: 'visitor', time: 'occurredAt' } as const;
const RULES: Readonly<Record<string, Rule>> = {
  'bronze.app.pageviews': {
    ...VISIT,
    event: '$pageview',
    fields: { $current_url: 'url', $referrer: 'referrer', item_id: 'itemId', utm_source: 'channel' },
  },
  'bronze.app.cart_events': {
    ...VISIT,
    event: 'cart changed',
    fields: { action: 'action', item_id: 'itemId', quantity: 'quantity', utm_source: 'channel' },
  },
  'bronze.app.logins': {
    ...VISIT,
    event: 'login',
    fields: { succeeded: 'succeeded', method: 'method', country: 'country', device: 'device' },
  },
  'bronze.app.registrations': {
    ...VISIT,
    event: 'user registered',
    fields: { country: 'country', utm_source: 'channel' },
    person: { email: 'email', country: 'country' },
  },
  'gold.registrations_hourly': {
    event: 'registrations hourly',
    about: 'nobody',
    time: 'windowEnd',
    fields: { country: 'country', registrations: 'registrations' },
  },
  'gold.monthly_purchase_summary': {
    event: 'monthly purchase summary',
    about: 'nobody',
    time: 'windowStart',
    fields: { user_id: 'userId', category: 'category', orders: 'orders', units: 'units' },
  },
  'gold.segment_changes': {
    event: 'segment changed',
    about: 'visitor',
    time: 'windowEnd',
    fields: { from_segment: 'fromSegment', to_segment: 'toSegment', reason: 'reason' },
    person: { segment: 'toSegment' },
    id: 'windowStart',
  },
};
const POLL_MS = 300;
const REQUEST_MS = 30_000;
const EXAMPLES = 5;

/** Waits until the sink has delivered all that there is. SluiceError SLC_VERIFY_DEADLINE, SLC_VERIFY_POSTHOG. The inputs must rest. */
export async function verifyPostHog(options: PostHogOptions): Promise<PostHogResult> {
  const ranges = await delivered(options);
  options.progress("reading what PostHog's place has received");
  const wanted = await demanded(options, ranges);
  const found = await receivedBy(options.url);
  return compare(wanted, found.events, found.again);
}

/** Whether all is right, and there was something to look at. */
export function isRightPostHog(result: PostHogResult, minEvents: number): boolean {
  return result.missing + result.extra + result.different === 0 && result.events >= minEvents;
}

/** For people. */
export function reportPostHog(result: PostHogResult, minEvents: number): string {
  const { events, sentAgain, missing, extra, different, examples } = result;
  const verdict = isRightPostHog(result, minEvents) ? 'ok' : 'WRONG';
  const counts = `${events} events, ${sentAgain} sent again and merged, ${missing} missing, ${extra} extra, ${different} different`;
  return [`PostHog: ${counts}  ${verdict}`, ...examples.map((line) => `  ${line}`)].join('\n');
}

async function delivered(options: PostHogOptions): Promise<Range[]> {
  const { client, app, deadline } = options;
  const admin = await client.admin();
  let said = '';
  try {
    for (;;) {
      const ranges = await rangesOf(admin, Object.keys(RULES));
      const committed = await admin.committedOffsets(`${app}.sink.posthog`, ranges);
      const at = new Map(committed.map((each) => [idOf(each), each.offset]));
      const behind = ranges
        .filter((range) => range.end > range.start && (at.get(idOf(range)) ?? 0n) < range.end)
        .map(idOf);
      if (behind.length === 0) return ranges;
      const waitsFor = `the PostHog sink is behind in ${some(behind)}`;
      if (waitsFor !== said) options.progress((said = waitsFor));
      if (Date.now() > deadline) throw new SluiceError('SLC_VERIFY_DEADLINE', `not caught up in time: ${waitsFor}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  } finally {
    await admin.close().catch(() => undefined);
  }
}

/** Identity to the row that demands it: the last one in its partition. */
async function demanded(
  { client, serdes, schemas, deadline }: PostHogOptions,
  ranges: readonly Range[],
): Promise<Map<string, { readonly rule: Rule; readonly row: Row }>> {
  const readers = new Map(
    await Promise.all(
      Object.keys(RULES).map(async (topic) => {
        const schema = schemas[topic];
        if (schema === undefined) throw new SluiceError('SLC_VERIFY_POSTHOG', `there is no schema of ${topic}`);
        return [topic, await serdes.open(`${topic}-value`, schema, { write: false })] as const;
      }),
    ),
  );
  const wanted = new Map<string, { rule: Rule; row: Row }>();
  await readTopics(client, ranges, deadline, ({ topic }: TopicPartition, cursor) => {
    const [key, bytes, rule, reader] = [cursor.keyBytes(), cursor.valueBytes(), RULES[topic], readers.get(topic)];
    if (bytes === null || rule === undefined || reader === undefined) return undefined;
    try {
      const row = reader.deserialize(bytes) as Row;
      wanted.set(identityOf(topic, rule, key?.toString() ?? 'null', row), { rule, row });
    } catch (error) {
      if (error instanceof NotReadyError) return error.ready;
      if (error instanceof RetriableError) throw error;
      // What does not decode is a dead letter of the sink.
    }
    return undefined;
  });
  return wanted;
}

function identityOf(topic: string, rule: Rule, key: string, row: Row): string {
  const id = rule.id === undefined ? '' : `|${String(row[rule.id])}`;
  const name = Buffer.concat([Buffer.from(NAMESPACE.replaceAll('-', ''), 'hex'), Buffer.from(`${topic}|${key}${id}`)]);
  const hex = createHash('sha1').update(name).digest('hex');
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) % 4) + 8).toString(16);
  const uuid = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  const visitor = String(row['userId'] ?? row['anonymousId']);
  const distinctId = rule.about === 'visitor' ? visitor : 'sluice-summaries';
  return JSON.stringify([uuid, rule.event, new Date(Number(row[rule.time])).toISOString(), distinctId]);
}

async function receivedBy(url: string): Promise<{ events: ReceivedEvent[]; again: number }> {
  const response = await fetch(`${url.replace(/\/+$/, '')}/_events`, { signal: AbortSignal.timeout(REQUEST_MS) }).catch(
    (cause: unknown) => {
      throw new SluiceError('SLC_VERIFY_POSTHOG', `no capture server at ${url}`, { cause });
    },
  );
  if (!response.ok)
    throw new SluiceError('SLC_VERIFY_POSTHOG', `${url} is no capture server: it answers ${response.status}`);
  const answer = (await response.json()) as { events: ReceivedEvent[]; again: number; forgotten: number };
  if (answer.forgotten === 0) return answer;
  throw new SluiceError('SLC_VERIFY_POSTHOG', `the capture server has let go of its oldest ${answer.forgotten} events`);
}

function compare(
  wanted: ReadonlyMap<string, { readonly rule: Rule; readonly row: Row }>,
  events: readonly ReceivedEvent[],
  sentAgain: number,
): PostHogResult {
  const examples: string[] = [];
  const rest = new Set(wanted.keys());
  const counts = { extra: 0, different: 0 };
  for (const { uuid, event, timestamp, distinctId, properties } of events) {
    const identity = JSON.stringify([uuid, event, timestamp, distinctId]);
    const demand = wanted.get(identity);
    if (demand === undefined) {
      counts.extra += 1;
      examples.push(`extra: ${identity}`);
      continue;
    }
    rest.delete(identity);
    const { fields, person = {} } = demand.rule;
    const differs = (said: Row, fields: Readonly<Record<string, string>>): [string, unknown][] =>
      Object.entries(fields).flatMap(([name, field]): [string, unknown][] =>
        isDeepStrictEqual(said[name] ?? null, demand.row[field] ?? null) ? [] : [[name, said[name]]],
      );
    const wrong = [...differs(properties, fields), ...differs((properties['$set'] ?? {}) as Row, person)];
    if (wrong.length === 0) continue;
    counts.different += 1;
    examples.push(`different: ${identity}: ${wrong.map(([name, said]) => `${name}=${JSON.stringify(said)}`).join()}`);
  }
  for (const identity of rest) examples.push(`missing: ${identity}`);
  return { events: wanted.size, sentAgain, missing: rest.size, ...counts, examples: examples.slice(0, EXAMPLES) };
}
