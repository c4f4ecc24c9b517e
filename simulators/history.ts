/** Back-dated traffic: days of it as fast as the receivers take it, with the busy and the quiet hours of a week; then live. */
import { dailyFactor, livePlan, type Plan, turnsFor } from './plan.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** 30 days are 300,000 events and 30,000 changes. */
export const EVENTS_PER_DAY = 10_000;
export const CHANGES_PER_DAY = 1_000;
/** Turns per second of real time at most; the receivers decide. */
const FASTEST = 20_000;
/** By day of the week, from Sunday on; the mean is 1. */
const WEEK = [1.3, 0.8, 0.8, 0.85, 0.95, 1.1, 1.2] as const;

/** What a history has before it is over. */
export interface HistoryTotals {
  readonly events: number;
  readonly changes: number;
}

export function historyTotals(ms: number): HistoryTotals {
  return { events: Math.ceil((ms / DAY) * EVENTS_PER_DAY), changes: Math.ceil((ms / DAY) * CHANGES_PER_DAY) };
}

/** How busy the shop is, 1 on average: by the local time of day and the day of the week. */
export function weeklyFactor(at: number): number {
  return dailyFactor(at) * (WEEK[new Date(at).getDay()] ?? 1);
}

/**
 * Event time from `from` to `end` over as many turns as what is `left` takes, dense where the shop is busy; from there on `livePlan(rate)`.
 * The turns of an hour are spread evenly over it.
 */
export function historyPlan(from: number, end: number, left: HistoryTotals, rate: number): Plan {
  const turns = turnsFor(left.events, left.changes);
  const live = livePlan(rate);
  const at = timeOfTurn(from, end, turns);
  let turn = 0;
  let last = from;
  return {
    tickMs: 20,
    pace: (wall) => (turn < turns ? FASTEST : live.pace(wall)),
    base: (wall) => (last = turn < turns ? at(turn++) : Math.max(last, live.base(wall))),
    ahead: (more) => (turn + more < turns ? at(turn + more) : Math.max(last, end)),
    isFlashSale: () => false,
  };
}

/** The inverse of the share of all turns that come before a time. */
function timeOfTurn(from: number, end: number, turns: number): (turn: number) => number {
  const starts: number[] = [];
  const shares: number[] = [0];
  for (let start = from; start < end; start += HOUR) {
    starts.push(start);
    const length = Math.min(HOUR, end - start);
    shares.push((shares.at(-1) ?? 0) + weeklyFactor(start + length / 2) * length);
  }
  const all = shares.at(-1) ?? 1;
  return (turn) => {
    const wanted = (Math.min(turn, turns) / Math.max(1, turns)) * all;
    let [low, high] = [0, Math.max(0, starts.length - 1)];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((shares[middle] ?? 0) <= wanted) low = middle;
      else high = middle - 1;
    }
    const start = starts[low] ?? from;
    const length = Math.min(HOUR, end - start);
    const share = (shares[low + 1] ?? all) - (shares[low] ?? 0);
    return Math.floor(start + (share === 0 ? 0 : ((wanted - (shares[low] ?? 0)) / share) * length));
  };
}
