import type { OperatorFunction } from 'rxjs';
import { defineOperator } from '../dsl/define-operator.ts';
import type { NodeContext, Processor } from '../dsl/node.ts';
import { type Duration, parseDuration } from '../duration.ts';
import { TopologyError } from '../errors.ts';
import type { StreamRecord } from '../record.ts';
import { Heap } from '../state/heap.ts';
import type { MemoryKeyValueStore } from '../state/memory-store.ts';
import { sorted } from './sorted.ts';

/** One step of a sequence: a record that `where` takes, `times` of them (1). `soFar`: the values taken before it, the first one first. */
export interface SequenceStep<V> {
  readonly where: (value: V, soFar: readonly V[]) => boolean;
  readonly times?: number;
}

/**
 * `steps` follow one another in event time, records that no step takes may lie between; the last is at most `within` after the first. A value that `unless`
 * takes ends what has begun. `grace`: how late a record may be. `store` names the sequences that have begun, `<store>-waiting` the records that wait for
 * their turn. `maxOpen` (100): how many sequences of one key may have begun; the oldest goes first.
 */
export interface MatchSequenceOptions<V> {
  readonly steps: readonly SequenceStep<V>[];
  readonly within: Duration;
  readonly grace: Duration;
  readonly store: string;
  readonly unless?: (value: V) => boolean;
  readonly maxOpen?: number;
}

/**
 * Finds sequences of records per key: say, three failed logins and then one that succeeds, within 5 minutes. Records are taken in (timestamp, coordinate)
 * order, as behind sorted(), so that the result does not depend on how partitions interleave. Each record may begin a sequence, and may go on with all that
 * have begun; when one is complete `result` makes the value of what leaves, with the key, timestamp and time of its last record, and all others of that key
 * are forgotten. Null keys and null values are dropped. TopologyError SLC_STAGE_SEQUENCE for a sequence without steps.
 */
export function matchSequence<K, V, O>(
  options: MatchSequenceOptions<V>,
  result: (values: readonly V[], key: K) => O,
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, O>> {
  const { steps, within, grace, store, maxOpen = 100 } = options;
  const places = steps.flatMap((step) => Array.from({ length: step.times ?? 1 }, () => step.where));
  if (places.length === 0 || places.length > 1_000 || maxOpen < 1) {
    throw new TopologyError(
      'SLC_STAGE_SEQUENCE',
      `${store}: a sequence of ${places.length} records, ${maxOpen} at once`,
      {
        hint: 'give 1 to 1000 records by steps and times, and maxOpen of at least 1',
      },
    );
  }
  const inOrder = sorted<K, V>({ store: `${store}-waiting`, grace });
  const match = defineOperator<StreamRecord<K, V>, StreamRecord<K, O>>({
    spec: {
      kind: 'matchSequence',
      detail: `${places.length} records within ${within}, at most ${maxOpen} begun`,
      keyed: true,
      inLogOrder: true,
      store: { name: store, kind: 'key-value' },
    },
    create: (context, emit) => {
      const what = { places, withinMs: parseDuration(within), maxOpen, unless: options.unless };
      return new MatchSequence(what, context, context.store(store), ({ key, timestamp }, values) =>
        emit({ key, value: result(values, key), timestamp }),
      );
    },
  });
  return (source) => match(inOrder(source));
}

/** A sequence that has begun: timestamp of its first record (ms), and the values so far. */
type Open<V> = [first: number, values: V[]];

interface What<V> {
  readonly places: readonly SequenceStep<V>['where'][];
  readonly withinMs: number;
  readonly maxOpen: number;
  readonly unless: ((value: V) => boolean) | undefined;
}

class MatchSequence<K, V> implements Processor<StreamRecord<K, V>> {
  readonly #what: What<V>;
  readonly #context: NodeContext;
  readonly #store: MemoryKeyValueStore<K, Open<V>[]>;
  readonly #found: (last: StreamRecord<K, V>, values: readonly V[]) => void;
  /** When the youngest sequence of a key ends; made of the store when it is first asked for. */
  #ends: Heap<{ readonly at: number; readonly key: K }> | undefined;

  constructor(
    what: What<V>,
    context: NodeContext,
    store: MemoryKeyValueStore<K, Open<V>[]>,
    found: (last: StreamRecord<K, V>, values: readonly V[]) => void,
  ) {
    this.#what = what;
    this.#context = context;
    this.#store = store;
    this.#found = found;
  }

  process(record: StreamRecord<K, V>): void {
    const { key, value, timestamp } = record;
    if (key === null || key === undefined) return this.#context.dropped(record, 'null key');
    if (value === null || value === undefined) return this.#context.dropped(record, 'null value');
    this.#context.arrive(record);
    const { unless, withinMs, maxOpen } = this.#what;
    if (unless?.(value) === true) return this.#store.delete(key);
    const open = (this.#store.get(key) ?? []).filter(([first]) => timestamp - first <= withinMs);
    const next = [...open, [timestamp, []] as Open<V>].map((each) => this.#goOn(each, value));
    const complete = next.find(([, values]) => values.length === this.#what.places.length);
    if (complete !== undefined) {
      this.#found(record, complete[1]);
      return this.#store.delete(key);
    }
    this.#keep(key, next.filter(([, values]) => values.length > 0).slice(-maxOpen));
  }

  advance(watermark: number): void {
    const { withinMs } = this.#what;
    const ends = this.#endsOf();
    for (let next = ends.peek(); next !== undefined && next.at < watermark; next = ends.peek()) {
      ends.pop();
      const open = this.#store.get(next.key);
      if (open !== undefined && !open.some(([first]) => first + withinMs >= watermark)) this.#store.delete(next.key);
    }
  }

  #goOn([first, values]: Open<V>, value: V): Open<V> {
    const place = this.#what.places[values.length];
    return place?.(value, values) === true ? [first, [...values, value]] : [first, values];
  }

  #keep(key: K, open: Open<V>[]): void {
    const youngest = open.at(-1);
    if (youngest === undefined) return this.#store.delete(key);
    const ends = this.#endsOf();
    this.#store.put(key, open);
    ends.push({ at: youngest[0] + this.#what.withinMs, key });
  }

  #endsOf(): Heap<{ readonly at: number; readonly key: K }> {
    if (this.#ends !== undefined) return this.#ends;
    const ends = new Heap<{ readonly at: number; readonly key: K }>((a, b) => a.at - b.at);
    for (const [key, open] of this.#store.entries()) {
      ends.push({ at: Math.max(...open.map(([first]) => first)) + this.#what.withinMs, key });
    }
    this.#ends = ends;
    return ends;
  }
}
