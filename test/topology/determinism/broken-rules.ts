/**
 * The rules of event time, each broken alone in the engine: a module is loaded with one piece of it replaced (break-rule.ts). docs/TIME.md has the rules
 * by their numbers.
 */

/** `find` must stand in the file exactly once. */
export interface BrokenRule {
  readonly rule: number;
  readonly name: string;
  /** Below topology/. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export const BROKEN_RULES: readonly BrokenRule[] = [
  {
    rule: 1,
    name: 'the reader of a derived topic makes the time of its records',
    file: 'runtime/read-record.ts',
    find: 'const ow = time.originWatermark;',
    replace: `const reader = input as { own?: number };
      const ow = (reader.own = Math.max(reader.own ?? -Infinity, input.cursor.timestamp - 5));
      time.originWatermark = ow;`,
  },
  {
    rule: 2,
    name: 'the clock is not committed with the position',
    file: 'runtime/slot.ts',
    find: 'const metadata = encodeClock({ w: clock, next });',
    replace: "const metadata = '';",
  },
  {
    rule: 3,
    name: 'a hint moves the clock when it is seen, without a pin',
    file: 'runtime/slot.ts',
    find: 'this.pin({ topic, partition, at: input.position, m });',
    replace: 'input.clock.pin(m);',
  },
  {
    rule: 4,
    name: 'the origin coordinate does not travel',
    file: 'time/time-header.ts',
    find: 'time.setDerived(readWatermark(bytes, from + 1), bytes, from + PREFIX_BYTES, to);',
    replace: `const none = Buffer.alloc(to - from - PREFIX_BYTES);
      time.setDerived(readWatermark(bytes, from + 1), none, 0, none.length);`,
  },
  {
    rule: 5,
    name: 'late is what comes behind the watermark of the task',
    file: 'runtime/task.ts',
    find: 'this.#isByWatermark ? this.#now().originWatermark : each.clock',
    replace: 'this.#isByWatermark ? each.input : each.clock',
  },
  {
    rule: 5,
    name: 'a session accepts ow <= t + gap + grace',
    file: 'operators/session-aggregate.ts',
    find: 'if (policy.isCanonical && at > timestamp + graceMs)',
    replace: 'if (policy.isCanonical && at > timestamp + graceMs + gapMs)',
  },
  {
    rule: 5,
    name: 'a join keeps its sides without the grace',
    file: 'operators/stream-join-processor.ts',
    find: 'aheadOf(this.#settings, side) - this.#settings.graceMs;',
    replace: 'aheadOf(this.#settings, side);',
  },
  {
    rule: 5,
    name: 'the table is read at arrival',
    file: 'operators/as-of-join-processor.ts',
    find: 'if (record.timestamp < this.#tableComplete()) return',
    replace: 'return',
  },
  {
    rule: 5,
    name: 'a sliding window has every record that its key has accepted',
    file: 'operators/sliding-aggregate.ts',
    find: '(entry.contributors ?? []).filter((each) => owOf(each) <= end + graceMs)',
    replace: '(entry.contributors ?? []).filter(() => graceMs >= 0)',
  },
  {
    rule: 6,
    name: 'ow of a final is that of the last of its records',
    file: 'operators/fixed-aggregate.ts',
    find: 'resultTimestamp(last, entry.timestamp), last);',
    replace: 'resultTimestamp(last, entry.timestamp), entry.originWatermark);',
  },
  {
    rule: 6,
    name: 'timestamp of a final is the largest of its records',
    file: 'time/time-policy.ts',
    find: 'resultTimestamp: (complete) => complete',
    replace: 'resultTimestamp: (_complete, latest) => latest',
  },
  {
    rule: 6,
    name: 'ow of a pair is that of the second side',
    file: 'operators/stream-join-processor.ts',
    find: 'originWatermark: Math.max(left.originWatermark, right.originWatermark),',
    replace: 'originWatermark: entry.originWatermark,',
  },
  {
    rule: 7,
    name: 'windows hold nothing back',
    file: 'operators/fixed-aggregate.ts',
    find: "return this.#options.emit === 'final' ? watermark - this.#windows.closeDelayMs : watermark;",
    replace: 'return watermark;',
  },
  {
    rule: 7,
    name: 'an as-of join holds nothing back',
    file: 'operators/as-of-join-processor.ts',
    find: 'return Math.min(this.#context.watermarkOf(STREAM), this.#buffer.leastWatermark);',
    replace: 'return this.#context.watermarkOf(STREAM);',
  },
  {
    rule: 8,
    name: 'the end offset of a promise is ignored',
    file: 'time/topic-watermark.ts',
    find: 'if (promise.end > position) break;',
    replace: '',
  },
  {
    rule: 8,
    name: 'writers without a promise are ignored',
    file: 'time/topic-watermark.ts',
    find: 'if (state.m < least) least = state.m;',
    replace: 'if (state.m < least && state.m > -Infinity) least = state.m;',
  },
  {
    rule: 8,
    name: 'who takes a slot over promises only about what it has written itself',
    file: 'runtime/slot.ts',
    find: '?? this.#written.get(promise.topic) ?? []',
    replace: '?? []',
  },
  {
    rule: 9,
    name: 'a slot is taken without fencing its former owner',
    file: 'runtime/slot-runner.ts',
    find: 'await producer.fence();',
    replace: '',
  },
  {
    rule: 10,
    name: 'records fold in the order of arrival',
    file: 'operators/fold-in-order.ts',
    find: '.sort((a, b) => a.each[0] - b.each[0] || Buffer.compare(a.coordinate, b.coordinate))',
    replace: '',
  },
  {
    rule: 10,
    name: 'the last row to arrive stands in a table',
    file: 'operators/to-table.ts',
    find: 'if (known !== undefined && !isNewer(known, timestamp, time.coordinate)) return false;',
    replace: '',
  },
  {
    rule: 12,
    name: 'pins are compacted per partition',
    file: 'replay/live-ledger.ts',
    find: '`${record.topic}|${record.partition}|${record.at}`',
    replace: '`${record.topic}|${record.partition}`',
  },
  {
    rule: 13,
    name: 'a replay does not know the pins at its ends',
    file: 'replay/replay-plan.ts',
    find: 'Number.isFinite(endClock) ? [{ topic, partition, at: end, m: endClock }] : []',
    replace: '[]',
  },
];
