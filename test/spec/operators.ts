/** Operators on one partition: plain state, `rec` per record, `wm` per advance, `out` = the watermark held back by what may still come out. */
import { byTime, compareText, KEYS, pad, type Rec, type Rules, textOf } from './model.ts';

/** What an operator sees of its task. */
export interface Context {
  readonly rules: Rules;
  readonly stage: string;
  /** The task's watermark, and that of each input. */
  M: number;
  Ms: readonly number[];
  emit(record: Rec): void;
  late(record: Rec, why: string): void;
  /** An invariant is broken. */
  bad(what: string): void;
}

/** State must survive structuredClone. */
export interface Operator<S> {
  init(): S;
  rec(state: S, record: Rec, input: number, cx: Context): void;
  wm(state: S, cx: Context): void;
  out(state: S, cx: Context): number;
}
/** An operator whose state only it knows. */
export type AnyOperator = Operator<unknown>;

export const hidden = <S>(operator: Operator<S>): AnyOperator => operator;

/** Stateless: passes ts, ow and co on. */
export const route = (rekey: (record: Rec) => string): AnyOperator => ({
  init: () => ({}),
  rec: (_state, record, _input, cx) => cx.emit({ ...record, key: rekey(record) }),
  wm: () => undefined,
  out: (_state, cx) => cx.M,
});

interface Window {
  readonly s: number;
  readonly e: number;
  readonly key: string;
  readonly items: Rec[];
}
interface Windows {
  readonly open: Record<string, Window>;
  clock: number;
}

/** Hopping and tumbling windows [s, e). */
export const windowed = (size: number, advance: number, grace: number, fold: (items: Rec[]) => string): AnyOperator =>
  hidden<Windows>({
    init: () => ({ open: {}, clock: -Infinity }),
    rec(state, r, _input, cx) {
      state.clock = Math.max(state.clock, r.ts);
      for (let s = Math.floor(r.ts / advance) * advance; s > r.ts - size; s -= advance) {
        const e = s + size;
        const clock = cx.rules.policy === 'watermark' ? r.ow : state.clock;
        // RULE 5: accept [s, e) <=> ow < e + grace
        if (clock >= e + grace) {
          cx.late(r, `${s}-${e}`);
          continue;
        }
        if (cx.rules.policy === 'watermark' && cx.M >= e + grace) cx.bad('accepted but closed');
        (state.open[`${s}|${r.key}`] ??= { s, e, key: r.key, items: [] }).items.push(r);
      }
    },
    wm(state, cx) {
      const M = cx.rules.policy === 'watermark' ? cx.M : state.clock;
      // RULE 5: close <=> M >= e + grace. RULE 10: emit in (e, s, key) order
      const done = Object.entries(state.open)
        .filter(([, w]) => M >= w.e + grace)
        .sort(([, a], [, b]) => a.e - b.e || a.s - b.s || compareText(a.key, b.key));
      for (const [id, w] of done) {
        delete state.open[id];
        const last = w.items.at(-1)?.ow ?? -Infinity;
        if (cx.rules.order === 'canonical') w.items.sort(byTime);
        cx.emit({
          key: w.key,
          val: fold(w.items),
          co: `${cx.stage}/${pad(w.s)}/${w.key}`,
          // RULE 6: complete for the instant e - 1
          ts: cx.rules.finalTs === 'end' ? w.e - 1 : Math.max(...w.items.map((item) => item.ts)),
          ow: cx.rules.finalOw === 'end' ? w.e - 1 : cx.rules.finalOw === 'close' ? w.e + grace : last,
        });
      }
    },
    // RULE 7: a final to come has e + grace > M, so e - 1 >= M - grace
    out: (_state, cx) => (cx.rules.hold ? cx.M - grace : cx.M),
  });

interface Session {
  readonly key: string;
  readonly a: number;
  readonly b: number;
  readonly items: Rec[];
}

export const sessions = (gap: number, grace: number): AnyOperator =>
  hidden<{ open: Session[] }>({
    init: () => ({ open: [] }),
    rec(state, r, _input, cx) {
      // RULE 5: accept <=> ow <= t + grace
      if (r.ow > r.ts + (cx.rules.session === 'point' ? grace : gap + grace)) return cx.late(r, 'session');
      const hit = state.open.filter((x) => x.key === r.key && r.ts >= x.a - gap && r.ts <= x.b + gap);
      state.open = state.open.filter((x) => !hit.includes(x));
      state.open.push({
        key: r.key,
        a: Math.min(r.ts, ...hit.map((x) => x.a)),
        b: Math.max(r.ts, ...hit.map((x) => x.b)),
        items: [r, ...hit.flatMap((x) => x.items)],
      });
    },
    wm(state, cx) {
      const done = state.open
        .filter((x) => cx.M > x.b + gap + grace)
        .sort((x, y) => x.b - y.b || x.a - y.a || compareText(x.key, y.key));
      state.open = state.open.filter((x) => !done.includes(x));
      for (const x of done) {
        const val = `${x.a}..${x.b}:${x.items
          .sort(byTime)
          .map((item) => item.val)
          .join('+')}`;
        cx.emit({ key: x.key, ts: x.b, ow: x.b, co: `${cx.stage}/${pad(x.a)}/${x.key}`, val });
      }
    },
    out: (_state, cx) => (cx.rules.hold ? cx.M - gap - grace : cx.M),
  });

/** A sliding window [e - d, e] and its members. */
export interface Slide {
  readonly key: string;
  readonly e: number;
  readonly items: readonly Rec[];
}

/** Sliding windows as a function of a SET of records: they end at a record, or begin 1 after one. */
export const slidesOf = (records: readonly Rec[], d: number, grace: number): Slide[] =>
  KEYS.flatMap((key) => {
    const own = records.filter((r) => r.key === key).sort(byTime);
    const ends = new Set(own.flatMap((r) => (r.ow <= r.ts + grace ? [r.ts, r.ts + 1 + d] : [r.ts + 1 + d])));
    return [...ends]
      .map((e) => ({ key, e, items: own.filter((r) => r.ts >= e - d && r.ts <= e && r.ow <= e + grace) }))
      .filter((w) => w.items.length > 0);
  }).sort((a, b) => a.e - b.e || compareText(a.key, b.key));

export const sliding = (d: number, grace: number): AnyOperator =>
  hidden<{ kept: Rec[]; done: number }>({
    init: () => ({ kept: [], done: -Infinity }),
    rec(state, r, _input, cx) {
      if (r.ow > r.ts + d + grace) cx.late(r, 'sliding');
      else state.kept.push(r);
    },
    wm(state, cx) {
      for (const w of slidesOf(state.kept, d, grace)) {
        if (w.e <= state.done || cx.M <= w.e + grace) continue;
        cx.emit({ key: w.key, ts: w.e, ow: w.e, co: `${cx.stage}/${pad(w.e)}/${w.key}`, val: textOf(w.items) });
      }
      state.done = Math.max(state.done, cx.M - grace - 1);
      state.kept = state.kept.filter((r) => !(cx.M > r.ts + 1 + d + grace));
    },
    out: (_state, cx) => (cx.rules.hold ? cx.M - grace : cx.M),
  });

interface Sorter {
  kept: Rec[];
  readonly last: Record<string, number>;
}

/** The event-time sorter, here with "first per key within T" behind it: the one primitive of every operator that needs an order. */
export const dedupe = (T: number, grace: number): AnyOperator => {
  const step = (state: Sorter, r: Rec, cx: Context): void => {
    if (r.ts - (state.last[r.key] ?? -Infinity) <= T) return;
    state.last[r.key] = r.ts;
    cx.emit({ ...r, ow: r.ts });
  };
  return hidden<Sorter>({
    init: () => ({ kept: [], last: {} }),
    rec(state, r, _input, cx) {
      if (r.ow > r.ts + grace) cx.late(r, 'dedupe');
      else if (cx.rules.order === 'arrival') step(state, r, cx);
      else state.kept.push(r);
    },
    wm(state, cx) {
      // RULE 5: release in (ts, co) order once M > t + grace
      const done = state.kept.filter((r) => cx.M > r.ts + grace).sort(byTime);
      state.kept = state.kept.filter((r) => !done.includes(r));
      for (const r of done) step(state, r, cx);
    },
    out: (_state, cx) => (cx.rules.hold ? cx.M - grace : cx.M),
  });
};
