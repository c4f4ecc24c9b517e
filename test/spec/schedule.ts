/** One run of the specification's topology under one random schedule. */
import { random, type Random } from '#topology/testing';
import { LedgerView } from './ledger-view.ts';
import {
  type Entry,
  HOUR,
  MAX_AHEAD,
  type Origin,
  pad,
  partitionOf,
  type Pin,
  Q,
  type Rec,
  type Rules,
} from './model.ts';
import type { Context } from './operators.ts';
import { makeSlots, type Offsets, type Slot, type Task } from './slots.ts';
import { ADDED, isBehindFinals, ORDERED, STAGES, WRITERS } from './stages.ts';

const STEPS = 1_200;

/** How a run goes. */
export interface RunOptions {
  readonly rules: Rules;
  readonly data: readonly Origin[];
  readonly seed: number;
  /** A replay: clocks move by these pins, hints have no effect. */
  readonly pins?: readonly Pin[] | undefined;
  /** Partition 2 of clicks and its tasks come into being in mid-run; only live. */
  readonly added?: boolean;
  /** First offsets of a replay from mid-log, per origin topic and partition. */
  readonly from?: Offsets;
}

/** What a run leaves behind. */
export interface RunResult {
  /** Rows per stage as text, and what was late. */
  readonly result: Readonly<Record<string, string>>;
  readonly pins: readonly Pin[];
  /** Invariants broken: how often. */
  readonly bad: Readonly<Record<string, number>>;
  readonly late: number;
  /** Of those, found by stages that can find none. */
  readonly lateFinals: number;
  readonly crashes: number;
}

interface Work {
  readonly task: Task;
  readonly out: Rec[];
  readonly cx: Context;
}

type LogRecord = Rec & { readonly received?: number };

/** The run of a seed. */
export const run = (options: RunOptions): RunResult => new Schedule(options).run();

class Schedule {
  readonly #options: RunOptions;
  readonly #rules: Rules;
  readonly #g: Random;
  readonly #isReplay: boolean;
  readonly #pins: Pin[];
  readonly #ledger: Entry[] = [];
  readonly #bad: Record<string, number> = {};
  readonly #late: string[] = [];
  readonly #dead = new Set<string>();
  readonly #topics: Record<string, (LogRecord | null)[][]> = {};
  /** How much of an origin log exists by now. */
  readonly #shown: Record<string, number[]> = {};
  readonly #slots: readonly Slot[];
  readonly #origins: ReadonlyMap<string, Origin>;
  readonly #deadChance: number;
  readonly #batch: number;
  #joined: boolean;
  #crashes = 0;

  constructor(options: RunOptions) {
    const g = random(options.seed);
    this.#options = options;
    this.#rules = options.rules;
    this.#g = g;
    this.#isReplay = options.pins !== undefined;
    this.#pins = [...(options.pins ?? [])];
    this.#deadChance = g.chance(0.3) ? 0 : g.next() * 0.25;
    this.#batch = g.chance(0.3) ? 1_000 : g.int(1, 8);
    this.#origins = new Map(options.data.map((origin) => [origin.name, origin]));
    this.#joined = options.added !== true || this.#isReplay;
    for (const stage of STAGES)
      this.#topics[stage.name] = Array.from({ length: stage.keyed === true ? Q : stage.n }, () => []);
    for (const { name, parts } of options.data) {
      this.#topics[name] = parts.map((log, p) => log.map((r, i) => ({ ...r, ow: 0, co: `${name}/${p}/${pad(i)}` })));
      this.#shown[name] = parts.map((log) => (this.#isReplay ? log.length : 0));
    }
    this.#slots = makeSlots(options.rules, new Set(this.#origins.keys()), g.chance(0.5), options.from);
  }

  run(): RunResult {
    const g = this.#g;
    const { data } = this.#options;
    for (let i = 0; i < STEPS; i++) {
      if (!this.#isAllShown() && g.chance(0.5)) this.#show();
      if (!this.#joined && g.chance(0.004)) this.#join();
      const slot = this.#slots[g.int(0, this.#slots.length - 1)];
      if (slot !== undefined) this.#step(slot, false);
    }
    if (!this.#joined) this.#join();
    for (const { name, parts } of data) this.#shown[name] = parts.map((log) => log.length);
    // Everything is read, nothing is flushed.
    for (let moved = true; moved;) {
      moved = false;
      for (const slot of this.#slots) while (this.#step(slot, true)) moved = true;
    }
    return this.#result();
  }

  #isAllShown(): boolean {
    return this.#options.data.every(({ name, parts }) =>
      parts.every((log, p) => (this.#shown[name]?.[p] ?? 0) >= log.length),
    );
  }

  #show(): void {
    const g = this.#g;
    const origin = this.#options.data[g.int(0, 2)];
    const p = g.int(0, 2);
    const shown = this.#shown[origin?.name ?? ''];
    if (origin === undefined || shown === undefined) return;
    if (origin.name === 'clicks' && p === 2 && !this.#joined) return;
    shown[p] = Math.min(origin.parts[p]?.length ?? 0, (shown[p] ?? 0) + g.int(1, 6));
  }

  /** RULE 9: the join entry first; the floor is the minimum of the others before it; then data. */
  #join(): void {
    const others = (WRITERS['r.clicks'] ?? []).filter((writer) => writer !== ADDED);
    const said = others.map((writer) =>
      Math.max(-Infinity, ...this.#ledger.filter((entry) => entry.writer === writer).map(({ m }) => m)),
    );
    const m = this.#rules.floor ? Math.min(...said) : -Infinity;
    this.#joined = true;
    if (m > -Infinity) this.#pins.push({ topic: 'clicks', p: 2, at: 0, m });
    this.#ledger.push({ writer: ADDED, topic: 'r.clicks', m, end: Array.from({ length: Q }, () => 0), join: true });
  }

  /** RULE 2: max(ts) - outOfOrderness, and pins at or before the position. */
  #originClock(slot: Slot, origin: Origin, hintsSeen: number): number {
    const position = slot.position[origin.name] ?? 0;
    let m = slot.clock[origin.name] ?? -Infinity;
    if (this.#rules.heartbeat === 'raced') {
      for (const hint of origin.hints)
        if (hint.p === slot.q && hint.end <= position && hint.m <= hintsSeen) m = Math.max(m, hint.m);
    }
    for (const pin of this.#pins)
      if (pin.topic === origin.name && pin.p === slot.q && pin.at <= position) m = Math.max(m, pin.m);
    return m;
  }

  #watermarks(slot: Slot, { task, cx }: Work, hintsSeen: number): void {
    cx.Ms = task.stage.in.map((topic) => {
      const origin = this.#origins.get(topic);
      if (origin !== undefined) return this.#originClock(slot, origin, hintsSeen);
      const addedLater = this.#options.added === true && !this.#isReplay;
      return task.view.watermark(topic, { partition: task.q, position: slot.position[topic] ?? 0, addedLater });
    });
    cx.M = Math.min(...cx.Ms);
  }

  /** One batch, then commit or crash; true = something changed. */
  #step(slot: Slot, all: boolean): boolean {
    const g = this.#g;
    const tasks = slot.tasks.filter((task) => this.#joined || task.q !== 2 || task.stage.in[0] !== 'clicks');
    if (tasks.length === 0) return false;
    const crashes = !all && g.chance(this.#deadChance);
    const states = tasks.map((task) => task.state);
    const kept = crashes ? structuredClone({ states, position: slot.position, clock: slot.clock }) : undefined;
    const hintsSeen = all ? Infinity : g.int(0, 100);
    const pinsBefore = this.#pins.length;
    const late: string[] = [];
    let moved = false;
    const work = tasks.map((task) => {
      if (task.view.read(this.#ledger, g, all)) moved = true;
      return this.#workOf(task, late);
    });
    const advance = (one: Work): void => {
      this.#watermarks(slot, one, hintsSeen);
      one.task.stage.op.wm(one.task.state, one.cx);
    };
    const origins = slot.inputs.flatMap((topic) => this.#origins.get(topic) ?? []);
    const read = origins.filter(({ name }) => tasks.some((task) => task.stage.in.includes(name)));
    this.#takeHints(slot, read, all);
    work.forEach(advance);
    for (let left = all ? 1_000 : g.int(0, this.#batch); left > 0; left--) {
      if (!this.#takeOne(slot, work, hintsSeen)) break;
      moved = true;
      for (const one of work) if (g.chance(0.5)) advance(one);
    }
    work.forEach(advance);
    if (kept !== undefined) {
      this.#crash(slot, work, kept, pinsBefore);
      return true;
    }
    this.#pinHours(slot, read);
    for (const one of work) if (this.#commit(one)) moved = true;
    this.#late.push(...late);
    return moved || this.#pins.length > pinsBefore;
  }

  #workOf(task: Task, late: string[]): Work {
    const out: Rec[] = [];
    const cx: Context = {
      rules: this.#rules,
      M: -Infinity,
      Ms: [],
      stage: task.stage.name,
      emit: (r) => out.push({ ...r, writer: task.id }),
      late: (r, why) => late.push(`${task.stage.name} ${r.co} ${why}`),
      bad: (what) => {
        this.#bad[what] = (this.#bad[what] ?? 0) + 1;
      },
    };
    return { task, out, cx };
  }

  /** RULE 3, live: a hint becomes a pin at the slot's position. */
  #takeHints(slot: Slot, origins: readonly Origin[], all: boolean): void {
    if (this.#isReplay || this.#rules.heartbeat !== 'pinned') return;
    for (const origin of origins) {
      const at = slot.position[origin.name] ?? 0;
      for (const hint of origin.hints) {
        if (hint.p !== slot.q || hint.end > at || !(all || this.#g.chance(0.3))) continue;
        if (this.#originClock(slot, origin, 0) < hint.m)
          this.#pins.push({ topic: origin.name, p: slot.q, at, m: hint.m });
      }
    }
  }

  /** False when there is nothing to read. */
  #takeOne(slot: Slot, work: readonly Work[], hintsSeen: number): boolean {
    const open = slot.inputs.filter((topic) => this.#hasUnread(topic, slot) && !this.#isTooFarAhead(topic, slot));
    if (open.length === 0) return false;
    let topic = open[this.#g.int(0, open.length - 1)] ?? '';
    const headOf = (name: string): LogRecord | null | undefined =>
      this.#topics[name]?.[slot.q]?.[slot.position[name] ?? 0];
    if (this.#rules.policy === 'stream-time')
      topic = open.sort((a, b) => (headOf(a)?.ts ?? -1) - (headOf(b)?.ts ?? -1))[0] ?? '';
    const head = headOf(topic);
    const origin = this.#origins.get(topic);
    const position = slot.position[topic] ?? 0;
    // RULE 8: over what was aborted and over markers only the position moves.
    if (head === null || head === undefined || this.#isDead(head)) {
      slot.position[topic] = position + 1;
      return true;
    }
    const readers = work.filter(({ task }) => task.stage.in.includes(topic));
    for (const one of readers) this.#watermarks(slot, one, hintsSeen);
    let record: Rec = head;
    if (origin !== undefined) {
      const { snapshot } = this.#rules;
      // RULE 2: a snapshot row does not move the clock.
      if (head.snap !== true || snapshot === 'moves')
        slot.clock[topic] = Math.max(slot.clock[topic] ?? -Infinity, head.ts - origin.ooo);
      const ow = head.snap === true && snapshot === '-inf' ? -Infinity : this.#originClock(slot, origin, hintsSeen);
      record = { ...head, ow };
    }
    // RULE 3: to every task of the slot that reads the topic, then the position moves.
    for (const { task, cx } of readers) {
      const isBroken = origin === undefined && record.ow < task.view.promiseOf(record.writer);
      if (isBroken && this.#rules.policy === 'watermark') cx.bad('writer broke its promise');
      task.stage.op.rec(task.state, { ...record }, task.stage.in.indexOf(topic), cx);
    }
    slot.position[topic] = position + 1;
    return true;
  }

  /** RULE 2: far ahead of the time that stands in the log itself. */
  #isDead(record: LogRecord): boolean {
    if (record.received === undefined) return false;
    const now = this.#rules.ahead === 'log' ? record.received : this.#isReplay ? Infinity : record.received;
    if (record.ts <= now + MAX_AHEAD) return false;
    this.#dead.add(record.co);
    return true;
  }

  #unreadOf(topic: string, q: number): number {
    return this.#origins.has(topic) ? (this.#shown[topic]?.[q] ?? 0) : (this.#topics[topic]?.[q]?.length ?? 0);
  }

  #hasUnread(topic: string, slot: Slot): boolean {
    return (slot.position[topic] ?? 0) < this.#unreadOf(topic, slot.q);
  }

  /** RULE 14: ahead of a partition of the same topic that still has records. The one that is behind is never stopped, so nothing stalls. */
  #isTooFarAhead(topic: string, slot: Slot): boolean {
    const origin = this.#origins.get(topic);
    if (origin === undefined || this.#rules.maxSkew === Infinity) return false;
    const behind = this.#slots.filter((other) => other !== slot && this.#holdsOthers(topic, other));
    const least = Math.min(...behind.map((other) => this.#reach(other, origin)));
    return this.#originClock(slot, origin, 0) > least + this.#rules.maxSkew;
  }

  #holdsOthers(topic: string, slot: Slot): boolean {
    return slot.inputs.includes(topic) && (this.#rules.waits === 'for all' || this.#hasUnread(topic, slot));
  }

  /** What the clock will be behind the next record: a partition with few records is not behind, its next one is far ahead. */
  #reach(slot: Slot, origin: Origin): number {
    const head = this.#hasUnread(origin.name, slot)
      ? this.#topics[origin.name]?.[slot.q]?.[slot.position[origin.name] ?? 0]
      : undefined;
    return Math.max(this.#originClock(slot, origin, 0), (head?.ts ?? -Infinity) - origin.ooo);
  }

  /** Loses everything that is not committed; what was sent stays as holes. */
  #crash(
    slot: Slot,
    work: readonly Work[],
    kept: { states: unknown[]; position: Record<string, number>; clock: Record<string, number> },
    pinsBefore: number,
  ): void {
    const g = this.#g;
    this.#crashes++;
    slot.position = kept.position;
    slot.clock = kept.clock;
    this.#pins.length = pinsBefore;
    for (const [i, { task, out }] of work.entries()) {
      task.state = kept.states[i];
      task.view = new LedgerView(task.stage.in, this.#rules, g.int(0, this.#ledger.length));
      for (const r of out) if (g.chance(0.5)) this.#topics[task.stage.name]?.[this.#targetOf(task, r)]?.push(null);
    }
  }

  /** RULE 13: the slot's own clock as a pin, once per event hour: changes nothing, and a replay may start there. */
  #pinHours(slot: Slot, origins: readonly Origin[]): void {
    if (this.#isReplay || this.#rules.heartbeat !== 'pinned') return;
    for (const origin of origins) {
      const m = this.#originClock(slot, origin, 0);
      const hour = Math.floor(m / HOUR);
      if (hour <= (slot.hour[origin.name] ?? -Infinity)) continue;
      this.#pins.push({ topic: origin.name, p: slot.q, at: slot.position[origin.name] ?? 0, m, own: true });
      slot.hour[origin.name] = hour;
    }
  }

  /** The atomic commit of a task; true when it promised something new. */
  #commit({ task, out, cx }: Work): boolean {
    const logs = this.#topics[task.stage.name] ?? [];
    for (const r of out) logs[this.#targetOf(task, r)]?.push(r);
    const written = new Set(out.map((r) => this.#targetOf(task, r)));
    task.end = logs.map((log, q) => (written.has(q) ? log.length : (task.end[q] ?? 0)));
    if (out.length > 0) for (const log of logs) if (this.#g.chance(0.5)) log.push(null);
    const m = Math.floor(task.stage.op.out(task.state, cx) / this.#rules.tick) * this.#rules.tick;
    // RULE 12: an unchanged promise needs no new entry.
    if (!(m > task.said)) return false;
    this.#ledger.push({ writer: task.id, topic: task.stage.name, m, end: task.end });
    task.said = m;
    return true;
  }

  #targetOf(task: Task, record: Rec): number {
    return task.stage.keyed === true ? partitionOf(record.key) : task.q;
  }

  #result(): RunResult {
    const isByWatermark = this.#rules.policy === 'watermark';
    const result: Record<string, string> = {
      late: this.#late.sort().join('\n'),
      dead: [...this.#dead].sort().join('\n'),
    };
    for (const { name } of STAGES) {
      const logs = (this.#topics[name] ?? []).map((log) => {
        const rows = log.flatMap((r) => (r === null ? [] : [`${r.key} ${r.ts} ${isByWatermark ? r.ow : ''} ${r.val}`]));
        return (ORDERED.has(name) && isByWatermark ? rows : rows.sort()).join('\n');
      });
      result[name] = logs.join('\n--\n');
    }
    const lateFinals = this.#late.filter(isBehindFinals).length;
    return { result, pins: this.#pins, bad: this.#bad, late: this.#late.length, lateFinals, crashes: this.#crashes };
  }
}
