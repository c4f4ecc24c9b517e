/** Collects requests that come close together and writes them in one Kafka transaction: a request is in Kafka whole or not at all. */
import type { DecodedRequest, EventRecord } from './event-decoder.ts';
import { awayError } from './request-error.ts';
import type { SenderClock } from './sender-clock.ts';
import type { CollectorLimits } from './types.ts';
import type { WriteSession } from './write-session.ts';

interface Waiting {
  readonly request: DecodedRequest;
  readonly since: number;
  /** Time the senders had reached when it came. */
  readonly reached: number | undefined;
  readonly settle: (this: void, error?: Error) => void;
}

export interface EventWriterOptions {
  readonly clock: SenderClock;
  readonly limits: Pick<CollectorLimits, 'lingerMs' | 'recordsPerTransaction' | 'answerMs'>;
}

export class EventWriter {
  readonly #options: EventWriterOptions;
  #queue: Waiting[] = [];
  #writing = false;
  #hurried = false;
  #session: WriteSession | undefined;
  #acked: number | undefined;
  #wake: () => void = () => undefined;
  readonly #accepted = new Map<string, number>();
  #rejected = 0;
  #refusedAt: number | undefined;

  constructor(options: EventWriterOptions) {
    this.#options = options;
  }

  /** Committed events per event name. */
  get accepted(): ReadonlyMap<string, number> {
    return this.#accepted;
  }

  /** Events committed to dead-letter topics. */
  get rejected(): number {
    return this.#rejected;
  }

  /** True while there are events that Kafka has not confirmed. */
  get isHolding(): boolean {
    return this.#queue.length > 0 || this.#writing;
  }

  /** When a sender was last told to come again, ms; undefined = never. */
  get refusedAt(): number | undefined {
    return this.#refusedAt;
  }

  /** A sender was told to come again. One that says its clock does not let it pass what has not arrived. */
  noteRefusal(): void {
    if (!this.#options.clock.isSaid) this.#refusedAt = Date.now();
  }

  /** All events that came before the senders had reached this time are in Kafka, ms. Undefined = nothing can be said. */
  get reached(): number | undefined {
    if (this.#session === undefined) return undefined;
    return this.isHolding ? this.#acked : this.#options.clock.reached();
  }

  /** Own last offset + 1 in a partition, as far as committed. */
  end(topic: string, partition: number): bigint {
    return this.#session?.end(topic, partition) ?? 0n;
  }

  /** Resolves when Kafka has all of it. Rejects with RequestError 503 when it is away or does not answer in time. */
  submit(request: DecodedRequest): Promise<void> {
    if (this.#session === undefined) return Promise.reject(awayError('Kafka is away'));
    if (request.records.length === 0) return Promise.resolve();
    const { clock, limits } = this.#options;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#queue = this.#queue.filter((one) => one !== waiting);
        waiting.settle(awayError('Kafka does not answer in time'));
      }, limits.answerMs);
      const waiting: Waiting = {
        request,
        since: Date.now(),
        reached: clock.reached(),
        settle: (error) => {
          clearTimeout(timer);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      this.#queue.push(waiting);
      this.#wake();
    });
  }

  /** From now on nothing waits for company. */
  hurry(): void {
    this.#hurried = true;
    this.#wake();
  }

  /** Serves the queue until the signal is given and the queue is empty. Rejects with what ended the session; then it is to be closed. */
  async serve(session: WriteSession, signal: AbortSignal): Promise<void> {
    this.#session = session;
    this.#acked = undefined;
    const wake = (): void => this.#wake();
    signal.addEventListener('abort', wake);
    try {
      for (;;) {
        await this.#untilDue(signal);
        if (this.#queue.length > 0) await this.#write(session, this.#take());
        else if (signal.aborted) return;
      }
    } catch (error) {
      for (const waiting of this.#queue.splice(0)) waiting.settle(awayError('Kafka was lost'));
      throw error;
    } finally {
      signal.removeEventListener('abort', wake);
      this.#session = undefined;
    }
  }

  /** Until the oldest request has lingered, enough records are there, or there is nothing to wait for. */
  async #untilDue(signal: AbortSignal): Promise<void> {
    const { lingerMs, recordsPerTransaction } = this.#options.limits;
    for (;;) {
      const [oldest] = this.#queue;
      if (signal.aborted) return;
      if (oldest !== undefined && (this.#hurried || this.#waitingRecords() >= recordsPerTransaction)) return;
      const ms = oldest === undefined ? undefined : oldest.since + lingerMs - Date.now();
      if (ms !== undefined && ms <= 0) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      await promise;
      clearTimeout(timer);
    }
  }

  #waitingRecords(): number {
    return this.#queue.reduce((sum, { request }) => sum + request.records.length, 0);
  }

  /** Whole requests, until there are enough records. */
  #take(): Waiting[] {
    let records = 0;
    let count = 0;
    for (const { request } of this.#queue) {
      if (records >= this.#options.limits.recordsPerTransaction) break;
      records += request.records.length;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #write(session: WriteSession, requests: readonly Waiting[]): Promise<void> {
    this.#writing = true;
    const records: EventRecord[] = requests.flatMap(({ request }) => request.records);
    try {
      await session.write(records);
    } catch (error) {
      for (const { settle } of requests) settle(awayError('Kafka was lost while the events were written'));
      throw error;
    } finally {
      this.#writing = false;
    }
    this.#acked = requests.at(-1)?.reached;
    for (const { request, settle } of requests) {
      this.#count(request);
      settle();
    }
  }

  #count({ accepted, rejected }: DecodedRequest): void {
    for (const [event, count] of accepted) this.#accepted.set(event, (this.#accepted.get(event) ?? 0) + count);
    this.#rejected += rejected.length;
  }
}
