import type { OperatorFunction } from 'rxjs';
import { systemClock } from '../clock.ts';
import { defineOperator } from '../dsl/define-operator.ts';
import type { NodeContext, Processor } from '../dsl/node.ts';
import { type Duration, parseDuration } from '../duration.ts';
import { InvariantError, RecordError, TopologyError } from '../errors.ts';
import type { StreamRecord } from '../record.ts';
import { keepTime, type RecordTime } from '../time/record-time.ts';

/** At most `concurrency` answers are waited for at once, in each task. An answer may take `timeout`; after a failure it is asked for `retries` times more. */
export interface MapAsyncOptions {
  readonly concurrency: number;
  readonly timeout: Duration;
  readonly retries: number;
}

const BACKOFF_MS = { first: 50, max: 2_000 } as const;

/**
 * Gives each record a value that comes from outside: `ask` gets the value, the key and a signal that aborts when nobody waits any more. Results leave in
 * the order of the records, with key, timestamp and time of their record; what is behind it sees no later watermark before. Each commit waits for all
 * answers of the records that it holds, so nothing is in flight across a commit, and after a crash records are asked for again: `ask` must bear that. A
 * record whose answer failed goes to the dead-letter topic (SLC_RECORD_ASYNC). The result is no function of the log. TopologyError SLC_STAGE_ASYNC for
 * limits that let nothing through.
 */
export function mapAsync<K, V, O>(
  ask: (value: V, key: K, signal: AbortSignal) => Promise<O>,
  options: MapAsyncOptions,
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, O>> {
  const { concurrency, retries, timeout } = options;
  const limits = { concurrency, retries, timeoutMs: parseDuration(timeout) };
  if (!(concurrency >= 1) || !(retries >= 0) || limits.timeoutMs <= 0) {
    throw new TopologyError('SLC_STAGE_ASYNC', `mapAsync(${JSON.stringify(options)}) lets nothing through`, {
      hint: 'give a concurrency of at least 1, retries of at least 0 and a timeout above 0',
    });
  }
  return defineOperator<StreamRecord<K, V>, StreamRecord<K, O>>({
    spec: {
      kind: 'mapAsync',
      detail: `${concurrency} at once, timeout ${timeout}, ${retries} retries`,
      nondeterministic: 'answers from outside',
    },
    create: (context) => {
      if (context.taskName !== 'plain') return new MapAsync(ask, limits, context);
      throw new TopologyError('SLC_STAGE_ASYNC', 'mapAsync() needs a task whose commits wait for it', {
        hint: 'use it in a stage; outside of one RxJS mergeMap() does',
      });
    },
  });
}

interface Limits {
  readonly concurrency: number;
  readonly retries: number;
  readonly timeoutMs: number;
}

interface Waiting<K, V> {
  readonly record: StreamRecord<K, V>;
  readonly time: RecordTime;
  outcome: { readonly value: unknown } | { readonly error: unknown } | undefined;
}

class MapAsync<K, V> implements Processor<StreamRecord<K, V>> {
  readonly #ask: (value: V, key: K, signal: AbortSignal) => Promise<unknown>;
  readonly #limits: Limits;
  readonly #context: NodeContext;
  /** In the order of the records; the slot's batch limit bounds it, since each commit empties it. */
  #queue: Waiting<K, V>[] = [];
  /** How many of the queue have been asked for, from its head on. */
  #asked = 0;
  #running = 0;
  #settled: (() => void) | undefined;

  constructor(ask: (value: V, key: K, signal: AbortSignal) => Promise<unknown>, limits: Limits, context: NodeContext) {
    this.#ask = ask;
    this.#limits = limits;
    this.#context = context;
  }

  process(record: StreamRecord<K, V>): void {
    this.#queue.push({ record, time: keepTime(this.#context.time), outcome: undefined });
    this.#pump();
  }

  advance(): void {
    this.#release();
  }

  flush(): void {
    this.#release();
  }

  /** What waits leaves with the ow that it came with. */
  outputWatermark(): number {
    return this.#queue.reduce((least, { time }) => Math.min(least, time.originWatermark), this.#context.watermark());
  }

  drain(): Promise<void> | undefined {
    if (this.#queue.length === 0) return undefined;
    if (this.#queue[0]?.outcome !== undefined) return Promise.resolve();
    return new Promise((resolve) => (this.#settled = resolve));
  }

  #pump(): void {
    while (this.#running < this.#limits.concurrency) {
      const next = this.#queue[this.#asked];
      if (next === undefined) return;
      this.#asked++;
      this.#running++;
      void this.#settle(next);
    }
  }

  async #settle(waiting: Waiting<K, V>): Promise<void> {
    waiting.outcome = await this.#answer(waiting);
    this.#running--;
    this.#pump();
    this.#settled?.();
  }

  async #answer({ record }: Waiting<K, V>): Promise<NonNullable<Waiting<K, V>['outcome']>> {
    for (let attempt = 0; ; attempt++) {
      try {
        return { value: await this.#once(record) };
      } catch (error) {
        if (attempt >= this.#limits.retries) return { error };
        await systemClock.sleep(Math.min(BACKOFF_MS.max, BACKOFF_MS.first * 2 ** attempt));
      }
    }
  }

  async #once({ value, key }: StreamRecord<K, V>): Promise<unknown> {
    const request = new AbortController();
    const answered = new AbortController();
    const silence = Promise.withResolvers<never>();
    const giveUp = async (): Promise<void> => {
      await systemClock.sleep(this.#limits.timeoutMs, answered.signal);
      // Told first: what the request makes of its abort is not the reason.
      silence.reject(new RecordError('SLC_RECORD_ASYNC', `no answer within ${this.#limits.timeoutMs} ms`));
      request.abort();
    };
    void giveUp();
    try {
      return await Promise.race([silence.promise, this.#ask(value, key, request.signal)]);
    } finally {
      // The race is over: what it says now nobody hears.
      silence.promise.catch(() => undefined);
      answered.abort();
    }
  }

  #release(): void {
    for (let head = this.#queue[0]; head?.outcome !== undefined; head = this.#queue[0]) {
      this.#queue.shift();
      this.#asked--;
      const { record, time, outcome } = head;
      if ('error' in outcome) this.#fail(record, time, outcome.error);
      else this.#context.emitAt({ key: record.key, value: outcome.value, timestamp: record.timestamp }, time);
    }
  }

  #fail(record: StreamRecord<K, V>, time: RecordTime, error: unknown): void {
    if (error instanceof InvariantError) throw error;
    const failure =
      error instanceof RecordError
        ? error
        : new RecordError('SLC_RECORD_ASYNC', `mapAsync: ${error instanceof Error ? error.message : String(error)}`, {
            cause: error,
          });
    this.#context.failed(record, time, failure);
  }
}
