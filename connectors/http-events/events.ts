import { deadLetterTopicOf, type Serde, type SerdeFactory } from '#topology';
import { eventFormat, type Refusal } from './event-format.ts';
import type { EventRecord } from './event-writer.ts';
import type { EventTopic } from './types.ts';

/** An event of a request that was refused: what the answer says of it. */
export interface Rejected extends Refusal {
  readonly index: number;
  readonly eventId?: string;
}

/** What a request becomes. */
export interface SortedEvents {
  /** In the order of the request, dead letters among them. */
  readonly records: EventRecord[];
  readonly rejected: Rejected[];
}

interface KnownEvent {
  readonly topic: EventTopic;
  readonly format: ReturnType<typeof eventFormat<unknown>>;
  readonly serde: Serde<unknown>;
}

const encoder = new TextEncoder();

/** Sorts the events of a request into records and dead letters. */
export class EventSorter {
  readonly #known: ReadonlyMap<string, KnownEvent>;
  readonly #unknownTopic: string;
  readonly #maxBytes: number;

  private constructor(known: ReadonlyMap<string, KnownEvent>, unknownTopic: string, maxBytes: number) {
    this.#known = known;
    this.#unknownTopic = unknownTopic;
    this.#maxBytes = maxBytes;
  }

  /** Registers the schemas. RetriableError SLC_REGISTRY_AWAY. */
  static async open(
    events: Readonly<Record<string, EventTopic>>,
    serdes: SerdeFactory,
    unknownTopic: string,
    maxBytes: number,
  ): Promise<EventSorter> {
    const known = new Map<string, KnownEvent>();
    for (const [name, topic] of Object.entries(events)) {
      const serde = await serdes.open(`${topic.name}-value`, topic.value, { write: true });
      known.set(name, { topic, serde, format: eventFormat(topic.value) });
    }
    return new EventSorter(known, unknownTopic, maxBytes);
  }

  sort(events: readonly unknown[], now: number): SortedEvents {
    const sorted: SortedEvents = { records: [], rejected: [] };
    for (const [index, event] of events.entries()) {
      const { event: name, properties } = Object(event) as { event?: unknown; properties?: unknown };
      const known = typeof name === 'string' ? this.#known.get(name) : undefined;
      const result = this.#read(known, event, name, properties, now);
      if ('record' in result) {
        sorted.records.push(result.record);
        continue;
      }
      const { eventId } = Object(properties) as { eventId?: unknown };
      const id = typeof eventId === 'string' ? eventId.slice(0, 100) : undefined;
      sorted.rejected.push({ index, ...(id === undefined ? {} : { eventId: id }), ...result });
      sorted.records.push(this.#deadLetter(known, event, id, result, now));
    }
    return sorted;
  }

  #read(
    known: KnownEvent | undefined,
    event: unknown,
    name: unknown,
    properties: unknown,
    now: number,
  ): { record: EventRecord } | Refusal {
    if (known === undefined) {
      return { code: 'SLC_EVENT_UNKNOWN', reason: `there is no event ${JSON.stringify(name ?? null).slice(0, 100)}` };
    }
    const size = JSON.stringify(event).length;
    if (size > this.#maxBytes)
      return { code: 'SLC_EVENT_TOO_LARGE', reason: `the event has ${size} characters, ${this.#maxBytes} are allowed` };
    const result = known.format(properties, now);
    if (!('value' in result)) return result;
    const { eventId, occurredAt } = result.value as { eventId: string; occurredAt: number };
    const ahead = occurredAt - now;
    if (ahead > known.topic.maxAheadMs)
      return { code: 'SLC_EVENT_AHEAD', reason: `occurredAt is ${ahead} ms ahead of the collector's clock` };
    return {
      record: {
        topic: known.topic.name,
        key: encoder.encode(eventId),
        value: known.serde.serialize(result.value),
        timestamp: occurredAt,
        headers: [],
      },
    };
  }

  #deadLetter(
    known: KnownEvent | undefined,
    event: unknown,
    id: string | undefined,
    { code, reason }: Refusal,
    now: number,
  ): EventRecord {
    return {
      topic: known === undefined ? this.#unknownTopic : deadLetterTopicOf(known.topic.name),
      key: encoder.encode(id ?? ''),
      value: encoder.encode(JSON.stringify(event)),
      timestamp: now,
      headers: [
        ['stage', encoder.encode('collector')],
        ['code', encoder.encode(code)],
        ['reason', encoder.encode(reason)],
      ],
    };
  }
}
