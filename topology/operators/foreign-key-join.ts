/**
 * Join of two tables by a foreign key, in the manner of Kafka Streams: the left side subscribes at the partition of the foreign key, the right side
 * answers each subscriber, and a last step joins the answer with the left row.
 *
 *   left -> subscribe -> [<store>-subscriptions] -> lookUp(right) -> [<store>-responses] -> join with the left row
 *
 * An answer names the foreign key that it is for. It counts only if the left row has that key when the answer comes: answers to what a row pointed at
 * before are stale. That is enough: answers for one key come from one task in the order in which the right row changed, and every change of a left row
 * asks again and is answered, so the last answer that counts holds the last right row. (Kafka Streams compares hashes of left rows, and does not answer a
 * new row that points at nothing: a stale answer to a former row of the same value then stands for good.)
 */
import type { Graph, GraphNode } from '../dsl/graph.ts';
import type { NodeContext, Processor } from '../dsl/node.ts';
import type { AnyRecord } from '../record.ts';
import { keyFromId, keyId } from '../state/key-codec.ts';
import type { MemoryKeyValueStore } from '../state/memory-store.ts';
import { splitCoordinate } from '../time/coordinate.ts';
import { isAbsent, materializer, type NewNode, tableSpec, type TableRow } from './table-node.ts';

/** `store` names the left rows; `<store>-foreign` and `<store>-subscriptions` are kept where the right table is. */
export interface ForeignKeyJoinOptions {
  readonly store: string;
}

/** What the join does, whatever its types. */
export interface ForeignKeyJoin {
  readonly store: string;
  readonly left: boolean;
  readonly foreignKey: (value: never, key: never) => unknown;
  readonly joiner: (left: never, right: never, key: never) => unknown;
}

/** For a foreign key: the row `key` (keyId) points at it from now on, or no longer. `quiet`: that there is no right row is no news. */
interface Subscription {
  readonly key: string;
  readonly on: boolean;
  readonly quiet: boolean;
}

/** For a left row: what the foreign key `of` (keyId) stands for; null: nothing. `quiet`: of interest only if a result stands. */
interface Answer {
  readonly of: string;
  readonly value: unknown;
  readonly quiet: boolean;
}

/** What a change on the left side is: a subscription for a foreign key, or a result that needs nobody. */
type Step = { readonly at: unknown; readonly subscription: Subscription } | { readonly result: unknown };

/** Left rows: timestamp (ms), value, keyId of the foreign key, whether a result stands. */
type LeftRow = [timestamp: number, value: unknown, foreignKey: string | null, stands: boolean];

/** Adds the nodes of the join to the graph; returns the last one, a table. */
export function addForeignKeyJoin(
  graph: Graph,
  tables: readonly [GraphNode, GraphNode],
  join: ForeignKeyJoin,
): GraphNode {
  const { store } = join;
  const [left, right] = tables;
  const add = ({ spec, create }: NewNode, ...parents: GraphNode[]): GraphNode => graph.add(spec, parents, { create });
  const through = (node: GraphNode, name: string): GraphNode =>
    graph.add({ kind: 'repartition', detail: name }, [node], { repartition: name });
  const subscribing = add(subscribeNode(join), left);
  const subscriptions = through(add(sendNode(store), subscribing), `${store}-subscriptions`);
  const foreign = add(foreignRowsNode(store), right);
  const answers = through(add(lookUpNode(store), subscriptions, foreign), `${store}-responses`);
  return add(joinNode(join), answers, subscribing);
}

function subscribeNode({ store, left, foreignKey, joiner }: ForeignKeyJoin): NewNode {
  return {
    spec: { kind: 'foreignKeySubscribe', keyed: true, store: { name: store, kind: 'key-value' } },
    create: (context, emit) => {
      const rows = context.store<MemoryKeyValueStore<unknown, LeftRow>>(store);
      return {
        process: ({ key, value, timestamp }: AnyRecord) => {
          if (isAbsent(key)) return context.dropped({ key, value, timestamp }, 'null key');
          const row = rows.get(key);
          const former = row?.[2] ?? null;
          const points = isAbsent(value) ? null : (foreignKey(value as never, key as never) ?? null);
          const now = points === null ? null : keyId(points);
          const alone = points === null && !isAbsent(value) && left;
          const result = alone ? joiner(value as never, null as never, key as never) : null;
          if (isAbsent(value)) rows.delete(key);
          else rows.put(key, [timestamp, value, now, alone || (now !== null && row?.[3] === true)]);
          const send = (step: Step): void => emit({ key, value: step, timestamp });
          const moves = former !== null && former !== now;
          if (moves) send({ at: keyFromId(former), subscription: { key: keyId(key), on: false, quiet: true } });
          if (points !== null) {
            return send({ at: points, subscription: { key: keyId(key), on: true, quiet: !left && !moves } });
          }
          if (alone || former !== null || (left && row !== undefined)) send({ result });
        },
      };
    },
  };
}

function sendNode(store: string): NewNode {
  return {
    spec: { kind: 'foreignKey', detail: store, changesKey: true },
    create: (_context, emit) => ({
      process: ({ value, timestamp }: AnyRecord) => {
        const step = value as Step;
        if ('at' in step) emit({ key: step.at, value: step.subscription, timestamp });
      },
    }),
  };
}

function foreignRowsNode(store: string): NewNode {
  const name = `${store}-foreign`;
  return {
    spec: { ...tableSpec('foreignRows', { store: name }), keyed: true },
    create: (context, emit) => {
      const keep = materializer(context, name);
      return {
        process: (record: AnyRecord) => {
          if (isAbsent(record.key)) return context.dropped(record, 'null key');
          keep(record);
          emit(record);
        },
      };
    },
  };
}

function lookUpNode(store: string): NewNode {
  const name = `${store}-subscriptions`;
  return {
    spec: { kind: 'foreignKeyLookUp', keyed: true, changesKey: true, store: { name, kind: 'key-value' } },
    create: (context) => new LookUp(context, store),
  };
}

const SUBSCRIPTION = 0;

class LookUp implements Processor<AnyRecord> {
  readonly #context: NodeContext;
  readonly #rows: MemoryKeyValueStore<unknown, TableRow>;
  /** Key: the keyIds of foreign key and subscriber, as JSON; value: timestamp of the subscription, ms. */
  readonly #store: MemoryKeyValueStore<string, number>;
  /** The store by foreign key; made of it when the first record comes. */
  #byKey: Map<string, Map<string, number>> | undefined;

  constructor(context: NodeContext, store: string) {
    this.#context = context;
    this.#rows = context.store<MemoryKeyValueStore<unknown, TableRow>>(`${store}-foreign`);
    this.#store = context.store<MemoryKeyValueStore<string, number>>(`${store}-subscriptions`);
  }

  process({ key, value, timestamp }: AnyRecord, parent: number): void {
    const of = keyId(key);
    const subscribers = this.#subscribersOf(of);
    if (parent !== SUBSCRIPTION) {
      // In an order of their own: which of them subscribed first is the schedule's.
      const sorted = [...subscribers].sort(([a], [b]) => (a < b ? -1 : 1));
      for (const [i, [subscriber, since]] of sorted.entries()) {
        this.#answer(subscriber, { of, value: value ?? null, quiet: false }, Math.max(timestamp, since), i);
      }
      return;
    }
    const { key: subscriber, on, quiet } = value as Subscription;
    const id = JSON.stringify([of, subscriber]);
    if (!on) {
      subscribers.delete(subscriber);
      return this.#store.delete(id);
    }
    subscribers.set(subscriber, timestamp);
    this.#store.put(id, timestamp);
    const row = this.#rows.get(key);
    const at = Math.max(timestamp, row?.[0] ?? timestamp);
    this.#answer(subscriber, { of, value: row?.[1] ?? null, quiet }, at, 0);
  }

  #answer(subscriber: string, answer: Answer, timestamp: number, index: number): void {
    const { originWatermark, coordinate } = this.#context.time;
    const time = { originWatermark, coordinate: splitCoordinate(coordinate, index) };
    this.#context.emitAt({ key: keyFromId(subscriber), value: answer, timestamp }, time);
  }

  #subscribersOf(of: string): Map<string, number> {
    if (this.#byKey === undefined) {
      this.#byKey = new Map();
      for (const [id, timestamp] of this.#store.entries()) {
        const [at, subscriber] = JSON.parse(id) as [string, string];
        subscribersIn(this.#byKey, at).set(subscriber, timestamp);
      }
    }
    return subscribersIn(this.#byKey, of);
  }
}

function subscribersIn(byKey: Map<string, Map<string, number>>, of: string): Map<string, number> {
  let subscribers = byKey.get(of);
  if (subscribers === undefined) byKey.set(of, (subscribers = new Map()));
  return subscribers;
}

function joinNode({ store, left, joiner }: ForeignKeyJoin): NewNode {
  return {
    spec: { ...tableSpec('foreignKeyJoin', {}), detail: left ? 'left' : 'inner', keyed: true },
    create: (context, emit) => {
      const rows = context.store<MemoryKeyValueStore<unknown, LeftRow>>(store);
      return {
        process: ({ key, value, timestamp }: AnyRecord, parent) => {
          if (parent !== 0) {
            const step = value as Step;
            if ('result' in step) emit({ key, value: step.result, timestamp });
            return;
          }
          const answer = value as Answer;
          const row = rows.get(key);
          if (row === undefined || row[2] !== answer.of) return; // stale: the row points elsewhere by now
          const exists = left || answer.value !== null;
          const stood = row[3];
          if (!exists && !stood && answer.quiet) return;
          const result = exists ? joiner(row[1] as never, answer.value as never, key as never) : null;
          if (stood !== exists) rows.put(key, [row[0], row[1], row[2], exists]);
          emit({ key, value: result, timestamp });
        },
      };
    },
  };
}
