import {
  type HeldPosition,
  InvariantError,
  type RejectedRecord,
  SINK_DELIVERY_MS,
  type SinkPartition,
  type SinkRecord,
  SinkRecordError,
} from '#topology';
import { MAX_EVENTS, RefusedBatch, type Sender } from './sender.ts';
import type { PostHogEvent, PostHogSinkOptions } from './types.ts';

/** What a claim is on. */
export interface PartitionOptions {
  readonly topic: string;
  readonly partition: number;
  readonly position: HeldPosition;
  readonly sender: Sender;
  readonly eventOf: PostHogSinkOptions['eventOf'];
}

interface Placed {
  readonly offset: bigint;
  readonly event: PostHogEvent;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;
/** PostHog cuts longer ones off, so that different persons would become one. */
const MAX_DISTINCT_ID = 200;
/** What is refused is found by halves, a request each: enough for one write, the next finds more. */
const MAX_REFUSED = 20;
const SEARCH_MS = SINK_DELIVERY_MS / 4;

export class PostHogPartition implements SinkPartition {
  readonly #options: PartitionOptions;
  #writing = false;

  constructor(options: PartitionOptions) {
    this.#options = options;
  }

  get nextOffset(): bigint | null {
    return this.#options.position.nextOffset;
  }

  async write(records: readonly SinkRecord[], nextOffset: bigint): Promise<void> {
    this.#check(records, nextOffset);
    this.#writing = true;
    try {
      const events = this.#eventsOf(records);
      await this.#options.position.move(nextOffset, () => this.#deliver(events));
    } finally {
      this.#writing = false;
    }
  }

  close(): Promise<void> {
    return this.#options.position.close();
  }

  /** The caller's mistakes must not become events: a position never goes back. */
  #check(records: readonly SinkRecord[], nextOffset: bigint): void {
    const at = this.nextOffset;
    const first = records[0]?.offset ?? nextOffset;
    const last = records.at(-1)?.offset ?? -1n;
    if (!this.#writing && first >= (at ?? 0n) && last < nextOffset && nextOffset >= (at ?? 0n)) return;
    throw new InvariantError(
      'SLC_BUG_SINK_POSITION',
      `${this.#name}: offsets ${first}..${last} up to ${nextOffset} do not continue ${at}` +
        (this.#writing ? ' (a write is under way)' : ''),
    );
  }

  /** By what PostHog merges, the newest of each: it would show the older ones for a while, and they cost. */
  #eventsOf(records: readonly SinkRecord[]): Placed[] {
    const events = new Map<string, Placed>();
    const rejected: RejectedRecord[] = [];
    for (const record of records) {
      if (record.value === null) continue;
      try {
        const event = this.#options.eventOf(this.#options.topic, record);
        if (event === undefined) continue;
        const wrong = wrongIn(event);
        if (wrong !== undefined) throw new Error(wrong);
        // posthog-node finds what was sent in its queue by uuid alone: in a batch each is there once.
        events.delete(event.uuid);
        events.set(event.uuid, { offset: record.offset, event });
      } catch (error) {
        rejected.push({ offset: record.offset, reason: error instanceof Error ? error.message : String(error) });
      }
    }
    if (rejected.length > 0) throw this.#refuse(rejected);
    return [...events.values()];
  }

  async #deliver(events: readonly Placed[]): Promise<void> {
    const rejected: RejectedRecord[] = [];
    const until = Date.now() + SEARCH_MS;
    for (let from = 0; from < events.length; from += MAX_EVENTS) {
      await this.#send(events.slice(from, from + MAX_EVENTS), rejected, until);
    }
    if (rejected.length > 0) throw this.#refuse(rejected.toSorted((a, b) => (a.offset < b.offset ? -1 : 1)));
  }

  /** Sends all but those that are refused by themselves. */
  async #send(events: readonly Placed[], rejected: RejectedRecord[], until: number): Promise<void> {
    if (rejected.length >= MAX_REFUSED || (rejected.length > 0 && Date.now() > until)) return;
    try {
      await this.#options.sender.send(events.map(({ event }) => event));
    } catch (error) {
      if (!(error instanceof RefusedBatch)) throw error;
      const [first] = events;
      if (events.length === 1 && first !== undefined) {
        rejected.push({ offset: first.offset, reason: error.message });
        return;
      }
      const half = Math.ceil(events.length / 2);
      await this.#send(events.slice(0, half), rejected, until);
      await this.#send(events.slice(half), rejected, until);
    }
  }

  #refuse(rejected: readonly RejectedRecord[]): SinkRecordError {
    return new SinkRecordError('SLC_RECORD_POSTHOG', `PostHog, for ${this.#name},`, rejected);
  }

  get #name(): string {
    return `${this.#options.topic}/${this.#options.partition}`;
  }
}

/** What posthog-node or PostHog would silently make something else of. */
function wrongIn({ uuid, event, distinctId, timestamp }: PostHogEvent): string | undefined {
  if (!UUID.test(uuid)) return `${JSON.stringify(uuid)} is no UUID`;
  if (event === '') return 'an event without a name';
  if (distinctId.trim() === '' || distinctId.length > MAX_DISTINCT_ID) {
    return `distinct id ${JSON.stringify(distinctId.slice(0, 50))} is empty or longer than ${MAX_DISTINCT_ID}`;
  }
  if (!Number.isSafeInteger(timestamp) || Number.isNaN(new Date(timestamp).getTime())) {
    return `timestamp ${timestamp} is no time`;
  }
  return undefined;
}
