import { Observable, type OperatorFunction } from 'rxjs';
import { TopologyError } from '../errors.ts';
import type { GraphNode } from './graph.ts';
import type { CreateProcessor, NodeSpec } from './node.ts';
import { scope } from './scope.ts';

/** Any operator: what flows is checked by the types of KStream.pipe. */
export type AnyOperator = OperatorFunction<never, unknown>;

/**
 * An operator of the engine, as noted down. `tables` and `streams`: what it reads besides its stream, as further parents; `globalTables`: what it looks
 * into.
 */
export interface EngineEntry {
  readonly rx: false;
  readonly spec: NodeSpec;
  readonly create: CreateProcessor<never, unknown>;
  readonly tables: readonly GraphNode[];
  readonly streams: readonly GraphNode[];
  readonly globalTables: readonly GraphNode[];
}

/** A plain RxJS operator, as noted down, with the names that its subscription shows. */
export interface RxEntry {
  readonly rx: true;
  readonly names: readonly string[];
  readonly operator: AnyOperator;
}

/** One noted operator. */
export type TraceEntry = EngineEntry | RxEntry;

/**
 * Stands in for the source while KStream.pipe applies the operators: notes each of them down instead of running it. RxJS's own operators go through
 * source.lift(), also inside RxJS's pipe(a, b), so nothing stays hidden.
 */
export class Trace extends Observable<never> {
  readonly entries: readonly TraceEntry[];

  constructor(entries: readonly TraceEntry[]) {
    super(() => {
      throw new TopologyError(
        'SLC_STAGE_SUBSCRIBED',
        'an operator subscribed to its source while the topology was being built',
        {
          hint: 'an operator may subscribe only when it is subscribed to',
        },
      );
    });
    this.entries = entries;
  }

  override lift<R>(operator: unknown): Observable<R> {
    const apply = (source: Observable<never>): Observable<unknown> => {
      const lifting = source as unknown as { lift(op: unknown): Observable<unknown> };
      return lifting.lift(operator);
    };
    return this.add(rxEntry(apply));
  }

  add(entry: TraceEntry): Trace {
    return new Trace([...this.entries, entry]);
  }
}

/** RxJS operators that hold nothing between two records, by the name of the file that runs them. */
const STATELESS = new Set([
  'filter',
  'map',
  'mergeMap',
  'switchMap',
  'exhaustMap',
  'expand',
  'tap',
  'catchError',
  'ignoreElements',
  'finalize',
  'materialize',
  'dematerialize',
]);

const INSTEAD: Readonly<Record<string, string>> = {
  scan: 'aggregate()',
  reduce: 'aggregate()',
  count: 'count()',
  distinct: 'an aggregation by key',
  distinctUntilChanged: 'an aggregation by key',
  pairwise: 'aggregate()',
  bufferCount: 'windowedBy()',
  bufferTime: 'windowedBy()',
  groupBy: 'keyBy() and an aggregation',
  debounceTime: "windowedBy() with emit 'final'",
};

/** Notes an RxJS operator. TopologyError SLC_STAGE_HIDDEN_STATE when it keeps state between records. */
export function rxEntry(operator: AnyOperator): RxEntry {
  const names = rxNames(operator);
  const stateful = names.find((name) => !STATELESS.has(name));
  if (stateful !== undefined) {
    throw new TopologyError(
      'SLC_STAGE_HIDDEN_STATE',
      `${scope.building ?? 'a stage'}: RxJS ${stateful}() keeps state between records, which no changelog saves and a restart loses`,
      { hint: `use ${INSTEAD[stateful] ?? 'an aggregation with a store'}` },
    );
  }
  return { rx: true, names, operator };
}

/** The names of the RxJS operators in an opaque function, read off the call stack of one subscription to a silent source. */
function rxNames(operator: AnyOperator): string[] {
  let stack = '';
  let failure: unknown;
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 200;
  const probe = new Observable<never>(() => {
    stack = new Error().stack ?? '';
  });
  try {
    operator(probe)
      .subscribe({ error: (error: unknown) => (failure = error) })
      .unsubscribe();
  } finally {
    Error.stackTraceLimit = limit;
  }
  if (failure instanceof TopologyError) throw failure; // an engine operator inside defer() or new Observable()
  const names = [...stack.matchAll(/rxjs[^\n]*operators[/\\](\w+)\.js/g)]
    .map((match) => (match[1] ?? '').replace('scanInternals', 'scan'))
    .filter((name) => !/Internals$|^OperatorSubscriber$/.test(name));
  return names.filter((name, i) => name !== names[i - 1]);
}
