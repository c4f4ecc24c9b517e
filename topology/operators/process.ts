import type { OperatorFunction } from 'rxjs';
import { defineOperator } from '../dsl/define-operator.ts';
import type { NodeContext, NodeSpec, Processor } from '../dsl/node.ts';
import { type Duration, parseDuration } from '../duration.ts';
import { InvariantError, TopologyError } from '../errors.ts';
import type { StreamRecord } from '../record.ts';
import { keyId } from '../state/key-codec.ts';
import { finalCoordinate, splitCoordinate } from '../time/coordinate.ts';
import { keepTime, type RecordTime } from '../time/record-time.ts';
import { handlesOf, openStores, specOf, type UserStores } from './process-stores.ts';

/** What user code sees of its task. */
export interface ProcessContext<K, V, S> {
  readonly stores: UserStores<S>;
  /** Sends a record on. Only inside process(), onEventTime() and onWallClock(); what they sent before they threw is not sent. */
  forward(record: StreamRecord<K, V>): void;
}

/** User code: one instance per task. */
export interface UserProcessor<K, V> {
  process(record: StreamRecord<K, V>): void;
  /** Everything with a timestamp before `time` (ms, a multiple of `eventTimeEvery`) has been processed. */
  onEventTime?(time: number): void;
  /** `now`: ms of the wall clock. */
  onWallClock?(now: number): void;
}

/**
 * `name` names the operator, and the store of its clock; `stores`: what user code keeps (keyValueStore, windowStore, sessionStore). `eventTimeEvery` calls
 * onEventTime() at each multiple of it since the epoch, `wallClockEvery` calls onWallClock(). `remembers`: how old, by event time, what is in the stores may
 * be when it still decides anything; a replay from the middle compares only what is younger than its start by so much, and nothing where there are stores
 * and it is not given. `keepsKeys` promises that nothing is forwarded under another key than that of the record in hand (else InvariantError
 * SLC_STAGE_KEY_CHANGED) or, by punctuation, one that the task's stores hold: then no repartition topic comes before a keyed operator behind it, as behind
 * Kafka Streams' processValues().
 */
export interface ProcessOptions<S> {
  readonly name: string;
  readonly stores?: S;
  readonly eventTimeEvery?: Duration;
  readonly wallClockEvery?: Duration;
  readonly remembers?: Duration;
  readonly keepsKeys?: boolean;
}

/**
 * The Processor API: user code record by record, with stores of its own and punctuation. It sees its records in one order: that of one partition of an
 * origin topic, or that of sorted() before it (else TopologyError SLC_TOPOLOGY_ORDER). What it forwards for a record has the time of that record; what it
 * forwards at an event time has that one as ow. It fires at every multiple between two records, after a jump in time too (under stream-time once, as Kafka
 * Streams). What wall-clock punctuation does is no function of the log. An exception sends the record to the dead-letter topic; the stores stay as user code
 * left them. TopologyError SLC_STAGE_PROCESS for an interval of 0.
 */
export function process<K, V, K2, V2, S extends object = object>(
  options: ProcessOptions<S>,
  create: (context: ProcessContext<K2, V2, S>) => UserProcessor<K, V>,
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K2, V2>> {
  const { name, eventTimeEvery, wallClockEvery, remembers, keepsKeys = false } = options;
  const handles = handlesOf(options.stores);
  const every = { event: intervalOf(eventTimeEvery, name), wall: intervalOf(wallClockEvery, name) };
  const punctuation = [
    ...(eventTimeEvery === undefined ? [] : [`event time every ${eventTimeEvery}`]),
    ...(wallClockEvery === undefined ? [] : [`wall clock every ${wallClockEvery}`]),
  ];
  const spec: NodeSpec = {
    kind: 'process',
    keyed: true,
    inLogOrder: true,
    ...(keepsKeys ? {} : { changesKey: true }),
    ...(handles.length > 0 ? { reachMs: remembers === undefined ? Infinity : parseDuration(remembers) } : {}),
    ...(punctuation.length > 0 ? { detail: punctuation.join(', ') } : {}),
    ...(wallClockEvery === undefined ? {} : { nondeterministic: 'wall-clock punctuation' }),
    store: { name, kind: 'key-value' },
    stores: handles.map(([, handle]) => specOf(handle)),
  };
  return defineOperator<StreamRecord<K, V>, StreamRecord<K2, V2>>({
    spec,
    create: (context) => new Process(context, { ...every, keepsKeys }, handles, create),
  });
}

function intervalOf(every: Duration | undefined, name: string): number {
  if (every === undefined) return Infinity;
  const ms = parseDuration(every);
  if (ms > 0) return ms;
  throw new TopologyError('SLC_STAGE_PROCESS', `process ${name} cannot punctuate every ${every}`, {
    hint: 'give an interval above 0',
  });
}

/** Intervals of punctuation, ms. */
interface Settings {
  readonly event: number;
  readonly wall: number;
  readonly keepsKeys: boolean;
}

class Process<K, V, K2, V2, S> implements Processor<StreamRecord<K, V>> {
  readonly #context: NodeContext;
  readonly #settings: Settings;
  readonly #user: UserProcessor<K, V>;
  readonly #forget: (time: number) => void;
  #outputs: StreamRecord<K2, V2>[] | undefined;
  #lastTick: number | undefined;

  constructor(
    context: NodeContext,
    settings: Settings,
    handles: ReturnType<typeof handlesOf>,
    create: (context: ProcessContext<K2, V2, S>) => UserProcessor<K, V>,
  ) {
    this.#context = context;
    this.#settings = settings;
    const { stores, forget } = openStores<S>(handles, context);
    this.#forget = forget;
    this.#user = create({
      stores,
      forward: (record) => this.#forward(record),
    });
  }

  process(record: StreamRecord<K, V>): void {
    const { policy, clock } = this.#context;
    // Before a record of that time: under watermark the order of both is a function of the log alone.
    if (policy.isCanonical) this.#moveTo(this.#context.arrive(record), true);
    const before = clock.now;
    if (!policy.isCanonical) this.#context.arrive(record);
    this.#forget(clock.now);
    const { originWatermark, coordinate } = this.#context.time;
    const outputs = this.#collect(() => this.#user.process(record));
    if (this.#settings.keepsKeys) this.#checkKeys(record, outputs);
    const [only] = outputs;
    if (outputs.length === 1 && only !== undefined) this.#context.emitAt(only, this.#context.time);
    else {
      for (const [i, output] of outputs.entries()) {
        this.#context.emitAt(output, { originWatermark, coordinate: splitCoordinate(coordinate, i) });
      }
    }
    if (!policy.isCanonical) this.#jump(before, clock.now);
  }

  advance(watermark: number): void {
    if (this.#context.policy.isCanonical) this.#moveTo(watermark, false);
  }

  tick(now: number): void {
    if (this.#settings.wall === Infinity || this.#user.onWallClock === undefined) return;
    this.#lastTick ??= now;
    if (now - this.#lastTick < this.#settings.wall) return;
    this.#lastTick = now;
    this.#punctuate(now, this.#context.watermark(), () => this.#user.onWallClock?.(now));
  }

  /** Event time begins with the first record: how far the clock went before it depends on when it was looked at. */
  #moveTo(time: number, isRecord: boolean): void {
    const { clock } = this.#context;
    const before = clock.now;
    if (before === -Infinity && !isRecord) return;
    clock.observe(time);
    const { event } = this.#settings;
    if (before === -Infinity || event === Infinity) return;
    for (let at = (Math.floor(before / event) + 1) * event; at <= time; at += event) this.#fire(at, at);
  }

  #jump(before: number, now: number): void {
    const { event } = this.#settings;
    if (before === -Infinity || event === Infinity) return;
    if (Math.floor(now / event) > Math.floor(before / event)) this.#fire(now, now);
  }

  #fire(time: number, originWatermark: number): void {
    if (this.#user.onEventTime === undefined) return;
    // Up to the time of the call, however far the watermark is by now: what user code finds depends on the log alone.
    this.#forget(time);
    this.#punctuate(time, originWatermark, () => this.#user.onEventTime?.(time));
  }

  #punctuate(time: number, originWatermark: number, run: () => void): void {
    const { storeNumber, partition } = this.#context;
    const at = (index: number, key: string): RecordTime => ({
      originWatermark,
      coordinate: finalCoordinate(storeNumber, time, index, Buffer.from(key)),
    });
    try {
      for (const [i, output] of this.#collect(run).entries()) {
        this.#context.emitAt(output, at(i, `${partition}|${keyId(output.key)}`));
      }
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      const record = { key: null, value: { punctuation: time }, timestamp: time };
      this.#context.failed(record, keepTime(at(0, `${partition}`)), error);
    }
  }

  #collect(run: () => void): readonly StreamRecord<K2, V2>[] {
    const outputs: StreamRecord<K2, V2>[] = [];
    this.#outputs = outputs;
    try {
      run();
    } finally {
      this.#outputs = undefined;
    }
    return outputs;
  }

  #checkKeys({ key }: StreamRecord<K, V>, outputs: readonly StreamRecord<K2, V2>[]): void {
    const other = outputs.find((output) => !Object.is(output.key, key) && keyId(output.key) !== keyId(key));
    if (other === undefined) return;
    throw new InvariantError(
      'SLC_STAGE_KEY_CHANGED',
      `${this.#context.taskName}: process() says that it keeps keys, but forwarded ${keyId(other.key)} for ${keyId(key)}`,
      { hint: 'leave keepsKeys out' },
    );
  }

  #forward(record: StreamRecord<K2, V2>): void {
    if (this.#outputs !== undefined) return void this.#outputs.push(record);
    throw new InvariantError(
      'SLC_STAGE_ASYNC_EMISSION',
      `${this.#context.taskName}: process() forwarded a record outside the processing of a record`,
      { hint: 'no timers and no promises in a stage: what comes later would be in no transaction' },
    );
  }
}
