/** Several streams of one key type into one aggregate. */
import { aggregate, type AggregateOptions } from '../operators/aggregate.ts';
import { mapValues } from '../operators/map-values.ts';
import { isAbsent } from '../operators/table-node.ts';
import { windowedBy } from '../operators/windowed-by.ts';
import type { WindowKey } from '../record.ts';
import type { KStream, KTable } from './kstream.ts';
import type { Emit } from './node.ts';
import type { Windows } from './windows.ts';

/** A value, and which of the streams it comes from. */
interface Tagged {
  readonly from: number;
  readonly value: unknown;
}

type Adder<A> = (accumulator: A, value: never) => A;

/** Streams that will be one aggregate, each with how its values are added. */
export class CogroupedStream<in out K, in out A> {
  readonly #stream: KStream<K, Tagged>;
  readonly #adders: readonly Adder<A>[];

  constructor(stream: KStream<K, Tagged>, adders: readonly Adder<A>[]) {
    this.#stream = stream;
    this.#adders = adders;
  }

  /** One stream more. */
  cogroup<V>(stream: KStream<K, V>, add: (accumulator: A, value: V) => A): CogroupedStream<K, A> {
    const tagged = tag(stream, this.#adders.length);
    return new CogroupedStream(this.#stream.merge(tagged), [...this.#adders, add]);
  }

  /** A table by key. Null keys and null values are dropped. Order as for aggregate(). */
  aggregate(init: () => A, options: Omit<AggregateOptions<A, 'updates'>, 'emit' | 'merge'>): KTable<K, A> {
    const add = this.#add();
    return this.#stream.pipe(aggregate(init, add, options));
  }

  /** Records per window when it closes; with `emit: 'updates'` take windowedUpdates(). */
  windowedBy(
    windows: Windows,
    init: () => A,
    options: Omit<AggregateOptions<A, 'final'>, 'emit'>,
  ): KStream<WindowKey<K>, A> {
    const made = this.#windowed(windows, init, { ...options, emit: 'final' });
    return made as KStream<WindowKey<K>, A>;
  }

  /** A table by window, with every change. */
  windowedUpdates(
    windows: Windows,
    init: () => A,
    options: Omit<AggregateOptions<A, 'updates'>, 'emit'>,
  ): KTable<WindowKey<K>, A> {
    const made = this.#windowed(windows, init, { ...options, emit: 'updates' });
    return made as KTable<WindowKey<K>, A>;
  }

  #windowed(windows: Windows, init: () => A, options: AggregateOptions<A, Emit>): unknown {
    return this.#stream.pipe(windowedBy(windows), aggregate(init, this.#add(), options));
  }

  #add(): (accumulator: A, tagged: Tagged) => A {
    const adders = this.#adders;
    return (accumulator, { from, value }) => adders[from]?.(accumulator, value as never) ?? accumulator;
  }
}

/** Begins an aggregate of several streams: cogroup(a, addA).cogroup(b, addB).aggregate(init, { store }). */
export function cogroup<K, V, A>(stream: KStream<K, V>, add: (accumulator: A, value: V) => A): CogroupedStream<K, A> {
  return new CogroupedStream(tag(stream, 0), [add]);
}

function tag<K, V>(stream: KStream<K, V>, from: number): KStream<K, Tagged> {
  const tagged = mapValues<K, V, Tagged | null>((value) => (isAbsent(value) ? null : { from, value }));
  return stream.pipe(tagged) as unknown as KStream<K, Tagged>;
}
