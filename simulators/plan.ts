/** How many turns are due, and what the sender's time is in each. */
import { EVENTS_PER_CHANGE } from './generator.ts';

const HOUR = 3_600_000;
const TURNS_PER_EVENT = (EVENTS_PER_CHANGE + 1) / EVENTS_PER_CHANGE;
/** Bounded runs: per second of real time. */
export const EVENTS_PER_SECOND = 1_000;
export const CHANGES_PER_SECOND = EVENTS_PER_SECOND / EVENTS_PER_CHANGE;
/** Bounded runs: times the logins of live traffic. One of 20 seconds has too few attacks among them else, for who is attacked has to be known first. */
export const BOUNDED_LOGINS = 4;
/** Some other events have to be left. */
export const MAX_LOGINS = 10;
/** Live: per second, on average over a day. */
const LIVE_EVENTS_PER_SECOND = 10;
/** One hour of event time in two seconds. */
const EVENT_MS_PER_SECOND = HOUR / 2;
/** At the end the clock goes on by so much: windows and joins wait for it. */
export const AFTER_END_MS = HOUR / 2;
/** Someone who was slow is not flooded: turns that are not made within a second are made later. */
const MAX_BEHIND_MS = 1_000;
/** A flash sale: so many times the live average. */
export const FLASH_SALE_FACTOR = 50;
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
  /** The next turn is one of a flash sale. */
  isFlashSale(): boolean;
}

/** Event time as the wall clock; the pace follows the local day. */
export function livePlan(rate: number): Plan {
  let last = 0;
  return {
    tickMs: 100,
    pace: (wall) => LIVE_EVENTS_PER_SECOND * TURNS_PER_EVENT * rate * dailyFactor(wall),
    base: (wall) => (last = Math.max(last, wall)),
    ahead: () => last,
    isFlashSale: () => false,
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

/** A time in which a bounded run has far more turns than else, ms of event time. */
export interface FlashSale {
  readonly from: number;
  readonly end: number;
}

/** In the middle of a run from `start` to `end`, `seconds` of event time long; undefined for 0 seconds. */
export function flashSaleOf(seconds: number, start: number, end: number): FlashSale | undefined {
  const from = Math.floor((start + end) / 2);
  return seconds === 0 ? undefined : { from, end: from + seconds * 1_000 };
}

/** Events that a flash sale of so many seconds has. */
export function flashSaleEvents(seconds: number): number {
  return seconds * LIVE_EVENTS_PER_SECOND * FLASH_SALE_FACTOR;
}

/**
 * Event time from `from` to `end`, spread evenly over the turns, but for those of the flash sale, which come as fast as they are taken. Turns beyond those stay
 * at the end. `rate`: times the usual pace.
 */
export function boundedPlan(from: number, end: number, turns: number, sale?: FlashSale, rate = 1): Plan {
  let turn = 0;
  const pieces = piecesOf(from, end, turns, sale);
  const at = (turn: number): number => {
    const piece = pieces.find((each) => turn < each.first + each.turns);
    if (piece === undefined) return end;
    return Math.floor(piece.from + ((piece.end - piece.from) * (turn - piece.first)) / Math.max(1, piece.turns));
  };
  const isFlashSale = (): boolean => pieces.find((each) => turn < each.first + each.turns)?.isSale === true;
  return {
    tickMs: 20,
    pace: () => EVENTS_PER_SECOND * TURNS_PER_EVENT * rate * (isFlashSale() ? FLASH_SALE_FACTOR : 1),
    base: () => at(turn++),
    ahead: (more) => at(turn + more),
    isFlashSale,
  };
}

interface Piece {
  readonly from: number;
  readonly end: number;
  /** Turn. */
  readonly first: number;
  readonly turns: number;
  readonly isSale: boolean;
}

/** Before, in and after what is still to come of the sale. */
function piecesOf(from: number, end: number, turns: number, sale: FlashSale | undefined): Piece[] {
  if (sale === undefined || sale.end <= from) return [{ from, end, first: 0, turns, isSale: false }];
  const begins = Math.max(from, sale.from);
  const wanted = flashSaleEvents((sale.end - begins) / 1_000) * TURNS_PER_EVENT;
  const inSale = Math.min(turns, Math.ceil(wanted));
  const around = begins - from + (end - sale.end);
  const before = Math.floor(((turns - inSale) * (begins - from)) / Math.max(1, around));
  return [
    { from, end: begins, first: 0, turns: before, isSale: false },
    { from: begins, end: sale.end, first: before, turns: inSale, isSale: true },
    { from: sale.end, end, first: before + inSale, turns: turns - before - inSale, isSale: false },
  ];
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
