/** From the body of a request to records: the good events for their topics, the others, as they were sent, for dead-letter topics. */
import {
  deadLetterTopicOf,
  InvariantError,
  partitionFor,
  RecordError,
  type RecordHeader,
  type Serde,
  textSerde,
} from '#topology';
import { type EventField, RECEIVED_AT } from './event-fields.ts';
import { arrayElements } from './json-elements.ts';
import { RequestError, tooLarge } from './request-error.ts';
import type { CollectorLimits, EventTopic } from './types.ts';

/** What the collector knows of one event name. */
export interface EventKind {
  readonly topic: EventTopic;
  readonly maxAheadMs: number;
  readonly fields: readonly EventField[];
  readonly serde: Serde<Record<string, unknown>>;
}

/** A record on its way to Kafka. */
export interface EventRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array;
  readonly timestamp: number;
  readonly headers: readonly RecordHeader[];
}

/** An event that was not accepted, as the answer names it. */
export interface Rejection {
  readonly index: number;
  readonly eventId?: string;
  readonly code: string;
  readonly reason: string;
}

/** A request, decoded. */
export interface DecodedRequest {
  readonly records: readonly EventRecord[];
  /** Accepted events per event name. */
  readonly accepted: ReadonlyMap<string, number>;
  readonly rejected: readonly Rejection[];
}

export interface EventDecoderOptions {
  readonly kinds: ReadonlyMap<string, EventKind>;
  readonly unknownEventsTopic: string;
  readonly deadLetterPartitions: number;
  readonly limits: CollectorLimits;
}

const NO_HEADERS: readonly RecordHeader[] = [];
const MAX_NAMED = 64;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

export class EventDecoder {
  readonly #options: EventDecoderOptions;

  constructor(options: EventDecoderOptions) {
    this.#options = options;
  }

  /** `receivedAt` in ms. Throws RequestError when nothing of the request is to be written. */
  decode(body: Buffer, receivedAt: number): DecodedRequest {
    const parsed = parse(body);
    const events: readonly unknown[] = Array.isArray(parsed) ? parsed : [parsed];
    const bytesOf = this.#withinLimits(body, parsed, events.length);
    const records: EventRecord[] = [];
    const accepted = new Map<string, number>();
    const rejected: Rejection[] = [];
    for (const [index, event] of events.entries()) {
      const sent = isObject(event) ? event : {};
      const { event: name, properties } = sent;
      const kind = typeof name === 'string' ? this.#options.kinds.get(name) : undefined;
      try {
        records.push(recordOf(event, kind, receivedAt));
        accepted.set(String(name), (accepted.get(String(name)) ?? 0) + 1);
      } catch (error) {
        if (!(error instanceof RecordError)) throw error;
        const eventId = isObject(properties) ? namedId(properties['eventId']) : undefined;
        records.push(this.#deadLetter(bytesOf(index), kind, eventId, error, receivedAt));
        rejected.push({ index, ...(eventId !== undefined && { eventId }), code: error.code, reason: error.message });
      }
    }
    return { records, accepted, rejected };
  }

  /** Checks sizes; the bytes of an event by its index. Elements are looked for only when they are needed. */
  #withinLimits(body: Buffer, parsed: unknown, count: number): (index: number) => Buffer {
    const { eventBytes, eventsPerRequest } = this.#options.limits;
    if (count > eventsPerRequest) {
      throw tooLarge(`the request has ${count} events, ${eventsPerRequest} is the most`);
    }
    let elements: readonly Buffer[] | undefined;
    const all = (): readonly Buffer[] => (elements ??= Array.isArray(parsed) ? arrayElements(body) : [body]);
    if (body.length > eventBytes) {
      const index = all().findIndex((bytes) => bytes.length > eventBytes);
      if (index >= 0) {
        throw tooLarge(`event ${index} has ${all()[index]?.length ?? 0} bytes, ${eventBytes} is the most`);
      }
    }
    return (index) => {
      const bytes = all()[index];
      if (bytes !== undefined && all().length === count) return bytes;
      throw new InvariantError('SLC_BUG_COLLECTOR', `event ${index} of ${count} is not among ${all().length} elements`);
    };
  }

  #deadLetter(
    bytes: Buffer,
    kind: EventKind | undefined,
    eventId: string | undefined,
    error: RecordError,
    receivedAt: number,
  ): EventRecord {
    const { unknownEventsTopic, deadLetterPartitions } = this.#options;
    const topic = kind === undefined ? unknownEventsTopic : deadLetterTopicOf(kind.topic.name);
    const key = eventId === undefined ? null : textSerde.serialize(eventId);
    return {
      topic,
      partition: key === null ? 0 : partitionFor(key, deadLetterPartitions),
      key,
      value: bytes,
      // Its own time may be what is wrong with it.
      timestamp: receivedAt,
      headers: [
        ['stage', encoder.encode(topic.replace(/\.dlq$/, ''))],
        ['code', encoder.encode(error.code)],
        ['reason', encoder.encode(error.message)],
      ],
    };
  }
}

function parse(body: Buffer): unknown {
  let parsed: unknown;
  try {
    parsed = JSON.parse(utf8.decode(body));
  } catch {
    throw new RequestError(400, 'SLC_COLLECTOR_BODY', 'the body is no JSON in UTF-8');
  }
  if (typeof parsed === 'object' && parsed !== null) return parsed;
  throw new RequestError(400, 'SLC_COLLECTOR_BODY', 'the body is neither an event nor an array of events');
}

/** The record of a good event. Throws RecordError. */
function recordOf(event: unknown, kind: EventKind | undefined, receivedAt: number): EventRecord {
  if (!isObject(event)) throw new RecordError('SLC_RECORD_EVENT', 'an event is an object with event and properties');
  const { event: name, properties, ...others } = event;
  if (kind === undefined) {
    const said = typeof name === 'string' ? `there is no event ${quoted(name)}` : 'event is no text';
    throw new RecordError('SLC_RECORD_EVENT', said);
  }
  const [other] = Object.keys(others);
  if (other !== undefined) {
    throw new RecordError('SLC_RECORD_FIELDS', `${quoted(other)} beside event and properties is not known`);
  }
  if (!isObject(properties)) throw new RecordError('SLC_RECORD_FIELDS', 'properties is no object');
  const value = valueOf(properties, kind.fields);
  const occurredAt = Number(value['occurredAt']);
  if (occurredAt > receivedAt + kind.maxAheadMs) {
    throw new RecordError('SLC_RECORD_AHEAD', `occurredAt is more than ${kind.maxAheadMs} ms ahead of the clock here`);
  }
  // Case means nothing in a UUID, but it does in a key.
  const eventId = String(value['eventId']).toLowerCase();
  value['eventId'] = eventId;
  value[RECEIVED_AT] = receivedAt;
  const key = textSerde.serialize(eventId);
  return {
    topic: kind.topic.name,
    partition: partitionFor(key, kind.topic.partitions),
    key,
    value: kind.serde.serialize(value),
    timestamp: occurredAt,
    headers: NO_HEADERS,
  };
}

/** The fields as sent, defaults filled in. Throws RecordError. */
function valueOf(properties: Record<string, unknown>, fields: readonly EventField[]): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  let known = 0;
  for (const { name, required, defaultValue, expected, accepts } of fields) {
    if (!Object.hasOwn(properties, name)) {
      if (required) throw new RecordError('SLC_RECORD_FIELDS', `${name} is missing`);
      value[name] = defaultValue;
      continue;
    }
    known++;
    const sent = properties[name];
    if (!accepts(sent)) throw new RecordError('SLC_RECORD_TYPE', `${name} is not ${expected}`);
    value[name] = sent;
  }
  if (Object.keys(properties).length === known) return value;
  const unknown = Object.keys(properties).find((name) => !fields.some((field) => field.name === name)) ?? '';
  throw new RecordError('SLC_RECORD_FIELDS', `${quoted(unknown)} is not known`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a sender called something, short enough for a header and a log. */
function quoted(name: string): string {
  return JSON.stringify(name.length > MAX_NAMED ? `${name.slice(0, MAX_NAMED)}...` : name);
}

/** An id as sent, if it is one that an answer can name. */
function namedId(eventId: unknown): string | undefined {
  return typeof eventId === 'string' && eventId !== '' && eventId.length <= MAX_NAMED ? eventId : undefined;
}
