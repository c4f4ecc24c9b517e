/** The joins of the specification, as operators.ts. */
import { type AnyOperator, type Context, hidden } from './operators.ts';
import { byTime, type Rec } from './model.ts';

type Side = Rec & { hit: boolean };

/** l matches r in [l - before, l + after]. Left join; `outer`: both sides may leave alone. */
export const streamJoin = (before: number, after: number, grace: number, outer = false): AnyOperator =>
  hidden<{ l: Side[]; r: Side[] }>({
    init: () => ({ l: [], r: [] }),
    rec(state, record, side, cx) {
      // RULE 5: accept <=> ow <= t + grace
      if (record.ow > record.ts + grace) return cx.late(record, side === 1 ? 'right' : 'left');
      const me: Side = { ...record, hit: false };
      for (const other of side === 1 ? state.l : state.r) {
        const [l, r] = side === 1 ? [other, me] : [me, other];
        if (l.key !== r.key || r.ts < l.ts - before || r.ts > l.ts + after) continue;
        l.hit = r.hit = true;
        // RULE 6: ow is a function of the contents alone
        const ow = cx.rules.pairOw === 'max' ? Math.max(l.ow, r.ow) : record.ow;
        cx.emit({ key: l.key, ts: Math.max(l.ts, r.ts), ow, co: `${l.co}&${r.co}`, val: `${l.val}&${r.val}` });
      }
      (side === 1 ? state.r : state.l).push(me);
    },
    wm(state, cx) {
      // RULE 5: l is kept until no accepted r can come, r until no accepted l can
      const g = cx.rules.joinKeep ? grace : 0;
      const goneL = (x: Side): boolean => cx.M > x.ts + after + g;
      const goneR = (x: Side): boolean => cx.M > x.ts + (outer && !cx.rules.outerKeep ? after : before) + g;
      const alone = (x: Side, co: string, val: string): void => cx.emit({ key: x.key, ts: x.ts, ow: x.ts, co, val });
      for (const l of state.l.filter(goneL).sort(byTime)) if (!l.hit) alone(l, `${l.co}&`, `${l.val}&null`);
      if (outer) {
        for (const r of state.r.filter(goneR).sort(byTime)) if (!r.hit) alone(r, `&${r.co}`, `null&${r.val}`);
      }
      state.l = state.l.filter((x) => !goneL(x));
      state.r = state.r.filter((x) => !goneR(x));
    },
    out: (_state, cx) =>
      cx.rules.hold ? cx.M - (outer && cx.rules.outerHold ? Math.max(before, after) : after) - grace : cx.M,
  });

interface AsOf {
  kept: Rec[];
  readonly rows: Record<string, Rec[]>;
}

export const asOfJoin = (grace: number, tableGrace: number): AnyOperator => {
  const go = (state: AsOf, done: readonly Rec[], cx: Context): void => {
    state.kept = state.kept.filter((r) => !done.includes(r));
    for (const r of done) {
      const row = (state.rows[r.key] ?? []).findLast((version) => version.ts <= r.ts);
      cx.emit({ ...r, val: `${r.val}@${row?.val ?? 'null'}` });
    }
  };
  return hidden<AsOf>({
    init: () => ({ kept: [], rows: {} }),
    rec(state, r, side, cx) {
      if (r.ow > r.ts + (side === 1 ? tableGrace : grace)) return cx.late(r, side === 1 ? 'table' : 'stream');
      if (side === 1) {
        (state.rows[r.key] ??= []).push(r);
        state.rows[r.key]?.sort(byTime);
        return;
      }
      state.kept.push(r);
      if (cx.rules.asOf === 'arrival') go(state, [r], cx);
    },
    wm(state, cx) {
      const table = cx.Ms[1] ?? -Infinity;
      // RULE 5: emit once the table is complete up to t
      go(state, state.kept.filter((r) => table > r.ts + tableGrace).sort(byTime), cx);
      // Versions nobody can ask for any more.
      const h = Math.min((cx.Ms[0] ?? -Infinity) - grace, ...state.kept.map((r) => r.ts));
      for (const versions of Object.values(state.rows)) {
        const i = versions.findLastIndex((version) => version.ts <= h);
        if (i > 0) versions.splice(0, i);
      }
    },
    // ow is passed on: hold back for what is kept
    out: (state, cx) => {
      const stream = cx.Ms[0] ?? -Infinity;
      return cx.rules.hold ? Math.min(stream, ...state.kept.map((r) => r.ow)) : stream;
    },
  });
};
