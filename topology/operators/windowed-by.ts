import type { OperatorFunction } from 'rxjs';
import { defineOperator } from '../dsl/define-operator.ts';
import type { Windows } from '../dsl/windows.ts';
import type { StreamRecord } from '../record.ts';

declare const windowed: unique symbol;

/** What windowedBy hands to an aggregation; not a record, so it cannot be the end of a pipe. */
export interface Windowed<out K, out V> {
  readonly [windowed]: 'windowedBy must be followed by an aggregation';
  readonly record: StreamRecord<K, V>;
  readonly windows: Windows;
}

/** Cuts the stream of each key into windows of event time; an aggregation must follow. */
export function windowedBy<K, V>(windows: Windows): OperatorFunction<StreamRecord<K, V>, Windowed<K, V>> {
  return defineOperator({
    spec: { kind: 'windowedBy', detail: windows.text, keyed: true, windows },
    create: (_context, emit) => ({ process: (record) => emit({ record, windows } as Windowed<K, V>) }),
  });
}
