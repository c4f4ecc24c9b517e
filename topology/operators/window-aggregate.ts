import type { CreateProcessor, Emit } from '../dsl/node.ts';
import { InvariantError } from '../errors.ts';
import type { AnyRecord } from '../record.ts';
import { FixedAggregate } from './fixed-aggregate.ts';
import { PaneAggregate } from './pane-aggregate.ts';
import { SessionAggregate } from './session-aggregate.ts';
import { SlidingAggregate } from './sliding-aggregate.ts';
import { SlidingAsTheyCome } from './sliding-as-they-come.ts';
import type { WindowAggregateOptions, WindowedInput } from './window-aggregate-options.ts';

/** Whether an aggregation over windows that have panes keeps these. */
export const isInPanes = (isSum: boolean | undefined, emit: Emit | undefined): boolean =>
  isSum === true && emit === 'updates';

/** Aggregation per key and window: the processor that the kind of windows asks for. */
export function windowAggregate(options: WindowAggregateOptions): CreateProcessor<WindowedInput, AnyRecord> {
  return (context) => {
    const { windows } = context;
    switch (windows?.kind) {
      case 'session':
        return new SessionAggregate(options, windows, context);
      case 'sliding':
        return context.policy.isCanonical
          ? new SlidingAggregate(options, windows, context)
          : new SlidingAsTheyCome(options, windows, context);
      case 'hopping':
      case 'calendar':
        return windows.paneMs !== undefined && isInPanes(options.isSum, options.emit) && context.policy.isCanonical
          ? new PaneAggregate(options, windows, windows.paneMs, context)
          : new FixedAggregate(options, windows, context);
      case undefined:
        throw new InvariantError('SLC_BUG_TOPOLOGY', 'a window aggregation has no windows');
    }
  };
}
