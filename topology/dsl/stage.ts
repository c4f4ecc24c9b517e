import { TopologyError } from '../errors.ts';
import { latestTableSource, tableSource } from '../operators/table-source.ts';
import { queryRow } from '../operators/table-node.ts';
import type { StatePlace } from '../state/store.ts';
import type { Topic } from '../topic.ts';
import { GlobalKTable } from './global-table.ts';
import { type AnyTopic, Graph } from './graph.ts';
import { KStream, KTable } from './kstream.ts';
import type { CreateProcessor } from './node.ts';

/** A named topology fragment, topics in, topics out: what one names, replays, inspects and tests. */
export interface Stage {
  readonly name: string;
  readonly graph: Graph;
  readonly options?: StageOptions;
}

/** What a stage may want otherwise than its application. */
export interface StageOptions {
  /**
   * Where its state is, by default where the application keeps it. 'disk' needs an application with `state: { directory }`; 'memory' is whole in memory, beside
   * which such an application keeps a copy for restarts. Results are the same. It may change from one start to the next.
   */
  readonly state?: StatePlace;
  /** What its state on disk may take in memory per process, bytes, apart from the application's budget. By default it has its share in that. */
  readonly stateBudgetBytes?: number;
}

/** Where a stage begins. */
export interface StageBuilder {
  /** The records of a topic. */
  stream<K, V>(topic: Topic<K, V>): KStream<K, V>;
  /**
   * A topic read as a table. The store's name is mandatory: an upgrade must find it again. `keeps: 'versions'` (default) holds the history of each row, for
   * asOfJoin(); 'latest' holds the last row of the log per key, which is all that joins and groupings of tables need.
   */
  table<K, V>(topic: Topic<K, V>, options: TableOptions): KTable<K, V>;
  /**
   * A topic read as a table of which every process has all rows, for globalJoin(). Each process reads the whole topic itself, all partitions, before its
   * first task runs, and goes on reading: one copy in memory for all its tasks, no repartition topic and no changelog, since the topic is both. So the topic
   * must keep the last record of each key. Keys are text.
   */
  globalTable<K, V>(topic: Topic<K, V>, options: { readonly store: string }): GlobalKTable<K, V>;
}

/** How a topic is read as a table. */
export interface TableOptions {
  readonly store: string;
  readonly keeps?: 'versions' | 'latest';
}

type Build = (builder: StageBuilder) => void;

const MIN_BUDGET_BYTES = 2 ** 20;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,180}$/;

const source: CreateProcessor<never, unknown> = (_context, emit) => ({ process: emit });

/**
 * Describes a stage. By convention it has the name of the topic that it writes: its late records go to `<name>.late`, its dead letters to
 * `<name>.dlq`. TopologyError SLC_STAGE_NAME for a name that is no topic name, SLC_STAGE_BUDGET for a budget that is none.
 */
export function stage(name: string, build: Build): Stage;
export function stage(name: string, options: StageOptions, build: Build): Stage;
export function stage(name: string, ...rest: [Build] | [StageOptions, Build]): Stage {
  const [options, build] = rest.length === 1 ? [{}, rest[0]] : rest;
  if (!NAME.test(name)) {
    throw new TopologyError('SLC_STAGE_NAME', `${JSON.stringify(name)} cannot name a stage`, {
      hint: 'letters, digits, dots, dashes and underscores, as in a topic name',
    });
  }
  checkBudget(name, options);
  const graph = new Graph(name);
  build({
    stream: <K, V>(topic: Topic<K, V>) => {
      const node = graph.add({ kind: 'source', detail: topic.name }, [], {
        topic: topic as unknown as AnyTopic,
        create: source,
      });
      return new KStream<K, V>(graph, node);
    },
    table: <K, V>(topic: Topic<K, V>, options: TableOptions) => {
      const spec = {
        kind: 'table',
        detail: topic.name,
        keyed: true,
        store: { name: options.store, kind: options.keeps === 'latest' ? 'key-value' : 'versioned' },
        ...(options.keeps === 'latest' ? { query: queryRow } : {}),
      } as const;
      const make = options.keeps === 'latest' ? latestTableSource : tableSource;
      const create = make({ store: options.store }) as CreateProcessor<never, unknown>;
      return new KTable<K, V>(graph, graph.add(spec, [], { topic: topic as unknown as AnyTopic, create }));
    },
    globalTable: <K, V>(topic: Topic<K, V>, { store }: { readonly store: string }) => {
      const spec = { kind: 'globalTable', detail: topic.name, store: { name: store, kind: 'key-value' } } as const;
      return new GlobalKTable<K, V>(graph, graph.add(spec, [], { topic: topic as unknown as AnyTopic }));
    },
  });
  return { name, graph, options };
}

/** It bounds what lies above a file; in memory there is no bound. */
function checkBudget(name: string, { state, stateBudgetBytes: bytes }: StageOptions): void {
  if (bytes === undefined || (state !== 'memory' && bytes >= MIN_BUDGET_BYTES && bytes < Infinity)) return;
  throw new TopologyError('SLC_STAGE_BUDGET', `stage ${name} has a budget of ${bytes} bytes for state in ${state}`, {
    hint: `a budget is for state on disk, and ${MIN_BUDGET_BYTES} bytes or more`,
  });
}
