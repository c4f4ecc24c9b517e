import { Observable, type OperatorFunction } from 'rxjs';
import { TopologyError } from '../errors.ts';
import { type AnyRecord } from '../record.ts';
import { makeStore } from '../state/make-store.ts';
import type { StateStore } from '../state/store.ts';
import { originCoordinate } from '../time/coordinate.ts';
import type { RecordTime } from '../time/record-time.ts';
import { StreamClock } from '../time/stream-clock.ts';
import { timePolicy } from '../time/time-policy.ts';
import { type GraphNode, withWindows } from './graph.ts';
import type { CreateProcessor, NodeContext, NodeSpec } from './node.ts';
import { scope } from './scope.ts';
import { Trace } from './trace.ts';
import type { Windows } from './windows.ts';

/** What `defineOperator` needs to know; `tables` = tables that the operator reads besides its stream; `windows` for running outside a topology. */
export interface OperatorDefinition<I, O> {
  readonly spec: NodeSpec;
  readonly create: CreateProcessor<I, O>;
  readonly tables?: readonly GraphNode[];
  /** Further streams that a keyed operator reads, as parents behind `tables`: they get a repartition topic where they need one. */
  readonly streams?: readonly GraphNode[];
  /** Global tables that it looks into: NodeContext.globalTable. */
  readonly globalTables?: readonly GraphNode[];
}

/**
 * Makes an operator of the engine: a real RxJS OperatorFunction that a topology can read. In KStream.pipe it becomes a node; on any other Observable
 * it runs at once, with state in memory and the largest timestamp as watermark. TopologyError SLC_STAGE_HIDDEN_OPERATOR where a stage cannot see it.
 */
export function defineOperator<I, O>(definition: OperatorDefinition<I, O>): OperatorFunction<I, O> {
  const { spec, create, tables = [], streams = [], globalTables = [] } = definition;
  return (source) => {
    if (source instanceof Trace) {
      const noted = { spec, create: create as CreateProcessor<never, unknown>, tables, streams, globalTables };
      return source.add({ rx: false, ...noted });
    }
    if (scope.building !== undefined) {
      throw new TopologyError(
        'SLC_STAGE_HIDDEN_OPERATOR',
        `${spec.kind}() is hidden inside a function that ${scope.building} cannot read`,
        {
          hint: 'give it to KStream.pipe() itself, or compose with RxJS pipe(a, b)',
        },
      );
    }
    if (scope.task !== undefined) {
      throw new TopologyError(
        'SLC_STAGE_HIDDEN_OPERATOR',
        `${spec.kind}() was applied while a record is processed (${scope.task}), so its state would belong to no store`,
        { hint: 'move it out of mergeMap/defer' },
      );
    }
    if (tables.length + streams.length + globalTables.length > 0) {
      throw new TopologyError(
        'SLC_STAGE_JOIN',
        `${spec.kind}() reads another stream or table, which only a stage can give`,
        { hint: 'build a stage, and try it out with the TopologyTestDriver' },
      );
    }
    return runPlain(source, definition);
  };
}

/** windowedBy's windows travel with its output when there is no graph to ask. */
interface Windowed {
  readonly record: AnyRecord;
  readonly windows: Windows;
}

function runPlain<I, O>(source: Observable<I>, { spec, create }: OperatorDefinition<I, O>): Observable<O> {
  return new Observable<O>((subscriber) => {
    let watermark = -Infinity;
    let count = 0;
    let windows: Windows | undefined;
    const stores = new Map<string, StateStore>();
    const time = (): RecordTime => ({ originWatermark: watermark, coordinate: originCoordinate(0, 0, count) });
    const context: NodeContext = {
      taskName: 'plain',
      partition: 0,
      storeNumber: 0,
      get windows() {
        return windows;
      },
      store: <S extends StateStore>(name: string): S => storeIn(stores, withWindows(spec, windows), name) as S,
      globalTable: (name) => {
        throw new TopologyError('SLC_STAGE_JOIN', `${spec.kind}() has no global table ${name} outside of a stage`);
      },
      policy: timePolicy('watermark'),
      clock: new StreamClock(),
      arrive: () => watermark,
      watermark: () => watermark,
      watermarkOf: () => watermark,
      get time() {
        return time();
      },
      emitAt: (record) => subscriber.next(record as O),
      late: () => undefined,
      dropped: () => undefined,
      failed: (_record, _time, error) => subscriber.error(error),
    };
    let processor: ReturnType<typeof create> | undefined;
    const guard = (run: () => void): void => {
      try {
        run();
      } catch (error) {
        subscriber.error(error);
      }
    };
    return source.subscribe({
      next: (input) =>
        guard(() => {
          const record = (input as Partial<Windowed>).record ?? (input as Partial<AnyRecord>);
          windows ??= (input as Partial<Windowed>).windows;
          processor ??= create(context, (output) => subscriber.next(output));
          count++;
          watermark = Math.max(watermark, record.timestamp ?? watermark);
          processor.process(input, 0);
          processor.flush?.();
          processor.advance?.(watermark);
        }),
      error: (error: unknown) => subscriber.error(error),
      complete: () =>
        guard(() => {
          watermark = Infinity;
          processor?.advance?.(watermark);
          subscriber.complete();
        }),
    });
  });
}

function storeIn(stores: Map<string, StateStore>, spec: NodeSpec, name: string): StateStore {
  let store = stores.get(name);
  if (store === undefined) stores.set(name, (store = makeStore(spec.store ?? { name, kind: 'key-value' })));
  return store;
}
