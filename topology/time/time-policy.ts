/**
 * The two answers to "what time is it?" (DESIGN section 4), behind one small interface: operators ask it, and know no policy by name.
 *
 *   watermark    late or not is decided by a record's origin watermark, a window closes by the task's watermark: functions of the log and its pins.
 *   stream-time  Kafka Streams': each operator has one clock, the largest timestamp that it has taken; it decides both, in the order of arrival.
 */

/** Name of a policy, as `buildTopology` takes it. */
export type TimePolicyName = 'watermark' | 'stream-time';

/** What depends on the policy besides the clock itself (NodeContext.arrive and NodeContext.watermark). */
export interface TimePolicy {
  readonly name: TimePolicyName;
  /**
   * True: results do not depend on the order in which records come, so what is not commutative keeps its records and folds them in
   * (timestamp, coordinate) order. False: records are folded as they come.
   */
  readonly isCanonical: boolean;
  /** Timestamp (ms) of a complete result: `complete` = the last instant that it covers, `latest` = the largest timestamp of its records. */
  resultTimestamp(complete: number, latest: number): number;
}

const watermark: TimePolicy = {
  name: 'watermark',
  isCanonical: true,
  // A function of the window alone: never late where windows of the next stage are aligned otherwise (TIME.md rule 6).
  resultTimestamp: (complete) => complete,
};

const streamTime: TimePolicy = {
  name: 'stream-time',
  isCanonical: false,
  resultTimestamp: (_complete, latest) => latest,
};

/** The policy of a name. */
export function timePolicy(name: TimePolicyName): TimePolicy {
  return name === 'watermark' ? watermark : streamTime;
}
