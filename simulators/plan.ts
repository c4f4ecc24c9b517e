/** How many turns are due, and what the sender's time is in each. */
import { EVENTS_PER_CHANGE } from './generator.ts';

const HOUR = 3_600_000;
const TURNS_PER_EVENT = (EVENTS_PER_CHANGE + 1) / EVENTS_PER_CHANGE;
/** Bounded runs: per second of real time. */
export const EVENTS_PER_SECOND = 1_000;
export const CHANGES_PER_SECOND = EVENTS_PER_SECOND / EVENTS_PER_CHANGE;
/** Live: per second, on average over a day. */
const LIVE_EVENTS_PER_SECOND = 10;
/** One hour of event time in two seconds. */
const EVENT_MS_PER_SECOND = HOUR / 2;
/** At the end the clock goes on by so much: windows and joins wait for it. */
export const AFTER_END_MS = HOUR / 2;
/** Someone who was slow is not flooded: turns that are not made within a second are made later. */
const MAX_BEHIND_MS = 1_000;
const DAILY_SWING = 0.7;
const BUSIEST_HOUR = 15;

export interface Plan {
  /** Between two looks at what is due, ms. */
  readonly tickMs: number;
  /** Turns a second at this wall time. */
  pace(wall: number): number;
  /** The sender's time in the next turn. Never goes back. */
  base(wall: number): number;
  /** The sender's time after so many more turns, as far as it is known now. */
  ahead(turns: number): number;
}

/** Event time as the wall clock; the pace follows the local day. */
export function livePlan(rate: number): Plan {
  let last = 0;
  return {
    tickMs: 100,
    pace: (wall) => LIVE_EVENTS_PER_SECOND * TURNS_PER_EVENT * rate * dailyFactor(wall),
    base: (wall) => (last = Math.max(last, wall)),
    ahead: () => last,
  };
}

/** Mean 1 over a day, by the local time of day. */
export function dailyFactor(wall: number): number {
  const time = new Date(wall);
  const hour = time.getHours() + time.getMinutes() / 60 + time.getSeconds() / 3_600;
  return 1 + DAILY_SWING * Math.cos(((hour - BUSIEST_HOUR) / 24) * 2 * Math.PI);
}

/** First event time of a bounded run that begins now: it ends an hour before now. */
export function startOf(seconds: number, wall: number): number {
  return wall - (seconds * EVENT_MS_PER_SECOND + HOUR);
}

export function endOf(seconds: number, start: number): number {
  return start + seconds * EVENT_MS_PER_SECOND;
}

/** Event time from `from` to `end`, spread evenly over the turns. Turns beyond those stay at the end. */
export function boundedPlan(from: number, end: number, turns: number): Plan {
  let turn = 0;
  const at = (turn: number): number => Math.floor(from + ((end - from) * Math.min(turn, turns)) / Math.max(1, turns));
  return {
    tickMs: 20,
    pace: () => EVENTS_PER_SECOND * TURNS_PER_EVENT,
    base: () => at(turn++),
    ahead: (more) => at(turn + more),
  };
}

/** Turns that `events` and `changes` take. */
export function turnsFor(events: number, changes: number): number {
  // Each cycle has one turn of changes, the last of it. In whole numbers: 100,000 * 1.1 is more than 110,000.
  const cycle = EVENTS_PER_CHANGE + 1;
  return Math.max(Math.ceil((events * cycle) / EVENTS_PER_CHANGE), changes * cycle);
}

/** Counts the turns that are due as time passes. */
export class Pacer {
  readonly #plan: Plan;
  #last: number;
  #credit = 0;

  constructor(plan: Plan, wall: number) {
    this.#plan = plan;
    this.#last = wall;
  }

  /** Whole turns that are due now. Those not made are handed back with `unused`. */
  due(wall: number): number {
    const pace = this.#plan.pace(wall);
    const passed = Math.min(MAX_BEHIND_MS, Math.max(0, wall - this.#last));
    this.#last = wall;
    this.#credit = Math.min(this.#credit + (pace * passed) / 1_000, Math.max(1, (pace * MAX_BEHIND_MS) / 1_000));
    const due = Math.floor(this.#credit);
    this.#credit -= due;
    return due;
  }

  unused(turns: number): void {
    this.#credit += turns;
  }
}
