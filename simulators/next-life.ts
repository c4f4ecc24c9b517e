/** What a start of the simulator takes over from the one before. */
import { SimulatorError } from './failure.ts';
import { AFTER_END_MS, endOf, startOf } from './plan.ts';
import type { SimulationOptions } from './simulation.ts';
import type { SimState } from './state.ts';

type Options = Pick<SimulationOptions, 'seconds' | 'history' | 'start' | 'log'>;

/**
 * An interrupted bounded run or history goes on where it may not have been yet; anything else begins anew, with ids that are free. Throws SimulatorError
 * SLC_CONFIG_SIMULATOR_START when its event time would pass the wall clock, SLC_CONFIG_SIMULATOR_HISTORY when something was sent before.
 */
export function nextLife(last: SimState | undefined, options: Options, wall: number): SimState {
  const { seconds, history } = options;
  if (history !== undefined) return historyLife(last, history, wall);
  const life = (last?.life ?? -1) + 1;
  if (last !== undefined && seconds !== undefined && last.seconds === seconds && !last.done) return { ...last, life };
  const next = last?.next ?? { user: 1, item: 1, purchase: 1 };
  const start = seconds === undefined ? wall : (options.start ?? startOf(seconds, wall));
  checkStart(last, options, start, wall);
  return { version: 1, seconds: seconds ?? null, start, life, base: start, next, events: 0, changes: 0, done: false };
}

function historyLife(last: SimState | undefined, history: number, wall: number): SimState {
  if (last === undefined) {
    const start = wall - history;
    const next = { user: 1, item: 1, purchase: 1 };
    return {
      version: 1,
      seconds: null,
      history,
      start,
      life: 0,
      base: start,
      next,
      events: 0,
      changes: 0,
      done: false,
    };
  }
  if (last.history === history) return { ...last, life: last.life + 1 };
  throw new SimulatorError(
    'SLC_CONFIG_SIMULATOR_HISTORY',
    'a history comes before all other traffic, and there was some: all of it would be late',
    'begin anew with npm run clean, or leave --history out',
  );
}

function checkStart(last: SimState | undefined, { seconds, log }: Options, start: number, wall: number): void {
  if (seconds === undefined) return;
  if (endOf(seconds, start) + AFTER_END_MS > wall) {
    throw new SimulatorError(
      'SLC_CONFIG_SIMULATOR_START',
      `${seconds} s of traffic from ${new Date(start).toISOString()} on would pass the wall clock`,
      'set SLUICE_SIM_START earlier, or leave it unset',
    );
  }
  if (last === undefined || start >= last.base) return;
  log.warn(
    { start: new Date(start).toISOString(), reached: new Date(last.base).toISOString() },
    'event time begins before what an earlier run has reached: most of it is late (npm run clean begins anew)',
  );
}
