import { type Observable, Subject, type Subscription } from 'rxjs';
import { InvariantError } from '../errors.ts';
import type { AnyRecord } from '../record.ts';
import { splitCoordinate } from '../time/coordinate.ts';
import type { NodeContext, Processor } from './node.ts';
import { scope } from './scope.ts';
import type { AnyOperator } from './trace.ts';

/**
 * A run of plain RxJS operators as one node: a Subject in, one subscription out. Per record it is synchronous and all or nothing: what it emitted
 * before it threw is dropped, and after an exception it is subscribed anew. Throws InvariantError SLC_STAGE_ASYNC_EMISSION, SLC_STAGE_ENDED or
 * SLC_STAGE_KEY_CHANGED when the stage breaks the rules of pipelines: the task stops.
 */
export function rxSegment(
  operators: readonly AnyOperator[],
  where: string,
  keyGuarded: () => boolean,
  context: NodeContext,
  emit: (output: AnyRecord) => void,
): Processor<AnyRecord> {
  return new RxSegment(operators, where, keyGuarded(), context, emit);
}

class RxSegment implements Processor<AnyRecord> {
  readonly #operators: readonly AnyOperator[];
  readonly #where: string;
  readonly #keyGuarded: boolean;
  readonly #context: NodeContext;
  readonly #emit: (output: AnyRecord) => void;
  #input = new Subject<never>();
  #subscription: Subscription | undefined;
  #current: AnyRecord | undefined;
  #outputs: AnyRecord[] = [];
  #failure: { readonly error: unknown } | undefined;
  /** A breach outside of any record: told at the next one. */
  #broken: InvariantError | undefined;

  constructor(
    operators: readonly AnyOperator[],
    where: string,
    keyGuarded: boolean,
    context: NodeContext,
    emit: (output: AnyRecord) => void,
  ) {
    this.#operators = operators;
    this.#where = where;
    this.#keyGuarded = keyGuarded;
    this.#context = context;
    this.#emit = emit;
  }

  process(record: AnyRecord): void {
    if (this.#subscription === undefined || this.#subscription.closed) this.#open();
    if (this.#outputs.length > 0) this.#outputs = [];
    this.#failure = undefined;
    this.#current = record;
    scope.task = this.#where;
    this.#input.next(record as never);
    scope.task = undefined;
    this.#current = undefined;
    if (this.#broken !== undefined) throw this.#broken;
    const failure = this.#failure as { readonly error: unknown } | undefined;
    if (failure !== undefined) {
      this.#subscription?.unsubscribe();
      this.#subscription = undefined;
      throw failure.error;
    }
    this.#forward();
  }

  /** Records made from one are told apart by their coordinates. */
  #forward(): void {
    const outputs = this.#outputs;
    const [first] = outputs;
    if (outputs.length === 1 && first !== undefined) return this.#emit(first);
    const { originWatermark, coordinate } = this.#context.time;
    for (const [i, output] of outputs.entries()) {
      this.#context.emitAt(output, { originWatermark, coordinate: splitCoordinate(coordinate, i) });
    }
  }

  #open(): void {
    this.#input = new Subject<never>();
    let wired: Observable<unknown> = this.#input.asObservable();
    for (const operator of this.#operators) wired = operator(wired as Observable<never>);
    this.#subscription = wired.subscribe({
      next: (output) => this.#received(output as AnyRecord),
      error: (error: unknown) => {
        if (this.#current === undefined) this.#outside(`failed (${String(error)})`);
        else this.#failure ??= { error };
      },
      complete: () => {
        this.#broken ??= new InvariantError(
          'SLC_STAGE_ENDED',
          `${this.#where}: ended the stream (take, first, takeWhile?)`,
          {
            hint: 'a stage never ends; use filter()',
          },
        );
      },
    });
  }

  #received(output: AnyRecord): void {
    const current = this.#current;
    if (current === undefined) return this.#outside('emitted a record');
    if (this.#keyGuarded && output.key !== current.key) {
      this.#broken ??= new InvariantError(
        'SLC_STAGE_KEY_CHANGED',
        `${this.#where}: changed the key from ${String(current.key)} to ${String(output.key)} before a keyed operator`,
        { hint: 'use keyBy(), which repartitions' },
      );
      return;
    }
    this.#outputs.push(output);
  }

  #outside(what: string): void {
    this.#broken ??= new InvariantError(
      'SLC_STAGE_ASYNC_EMISSION',
      `${this.#where}: ${what} outside the processing of a record`,
      {
        hint: 'no timers and no promises in a stage: what comes later would be in no transaction',
      },
    );
  }
}
