/** What a replay was asked to do, and what was frozen for it: as long as it is kept, any life of any process goes on with the same. */
import { ConfigError } from '../errors.ts';
import type { TopicPartition } from '../record.ts';
import type { ReplayFeed } from '../runtime/replay-feed.ts';
import { decodeValue, valueToText } from '../state/value-codec.ts';
import type { Pin, WriterPromise } from '../time/ledger-records.ts';

/** What a person asks for. */
export interface ReplayRequest {
  /** Outputs are `<topic>.<id>`, the application is `<app>.replay.<id>`. */
  readonly id: string;
  readonly stages: readonly string[] | 'all';
  /** ms since the epoch of event time, an offset of every origin partition, or 'earliest'. */
  readonly from: RangeBound | 'earliest';
  /** As `from`; 'now': where live stands. */
  readonly to: RangeBound | 'now';
}

/** A place in the input. */
export type RangeBound = { readonly time: number } | { readonly offset: bigint };

/** One frozen input partition. Times are event time, ms. */
export interface ReplayInput extends TopicPartition {
  readonly origin: boolean;
  readonly start: bigint;
  /** The clock at `start`; -Infinity at the log's first record, and for derived topics. */
  readonly startClock: number;
  /** No record before `start` has a larger timestamp: -Infinity when there is none, +Infinity when nobody knows. */
  readonly before: number;
  readonly end: bigint;
  /** The largest pin at or before `end` when it was frozen. */
  readonly endClock: number;
}

/** Up to where a partition of a global table's topic is read, before the first record. */
export interface ReplayTable extends TopicPartition {
  readonly end: bigint;
}

/** Everything that decides what a replay computes, besides its code. */
export interface ReplayPlan {
  readonly id: string;
  readonly app: string;
  /** What was asked for, in words: another request under the same id is refused. */
  readonly request: string;
  /** Live names of its stages. */
  readonly stages: readonly string[];
  readonly epoch: string;
  /** Wall clock, ms. */
  readonly createdAt: number;
  /** End of the live ledger when it was frozen. */
  readonly ledgerEnd: bigint;
  /** Numbered names (TIME.md rule 4), in live's order. */
  readonly names: readonly string[];
  readonly inputs: readonly ReplayInput[];
  /** Absent in plans of before there were any. */
  readonly globalTables?: readonly ReplayTable[];
  /** The newest promise of each live writer of a derived topic that it reads. */
  readonly promises: readonly WriterPromise[];
  /** Wall clock at which the replay had reached its ends, ms. */
  readonly finishedAt: number | null;
}

const ID = /^[a-z0-9][a-z0-9_]{0,39}$/;

/** ConfigError SLC_REPLAY_NAME unless it can be part of the names of topics, schemas and folders. */
export function checkReplayId(id: string): string {
  if (ID.test(id)) return id;
  throw new ConfigError('SLC_REPLAY_NAME', `${JSON.stringify(id)} cannot name a replay`, {
    hint: 'lower-case letters, digits and underscores, at most 40, as in v2',
  });
}

/** The request as one line of text. */
export function requestText(request: ReplayRequest): string {
  const bound = (at: RangeBound | string): string => {
    if (typeof at === 'string') return at;
    return 'time' in at ? new Date(at.time).toISOString() : `offset ${at.offset}`;
  };
  const stages = request.stages === 'all' ? 'all' : [...request.stages].sort().join(',');
  return `${stages} from ${bound(request.from)} to ${bound(request.to)}`;
}

/** ConfigError SLC_REPLAY_CHANGED when the plan that is there was made for another request or another topology. */
export function checkSamePlan(plan: ReplayPlan, request: ReplayRequest, epoch: string): void {
  const wanted = requestText(request);
  if (plan.request === wanted && plan.epoch === epoch) return;
  const what = plan.request === wanted ? 'by another topology: the stages have changed since' : `as: ${plan.request}`;
  throw new ConfigError('SLC_REPLAY_CHANGED', `replay ${plan.id} was begun ${what}`, {
    hint: `take another name with --into, or begin it anew after: sluice replay --drop ${plan.id}`,
  });
}

/** What the runtime asks for. `pins`: those of the live ledger; what came after the plan was frozen has no effect. */
export function feedOf(plan: ReplayPlan, pins: readonly Pin[]): ReplayFeed {
  const inputs = new Map(plan.inputs.map((input) => [`${input.topic}|${input.partition}`, input]));
  const tables = new Map(plan.globalTables?.map(({ topic, partition, end }) => [`${topic}|${partition}`, end]));
  const byPartition = Map.groupBy(
    [...pins.filter((pin) => isFrozen(pin, inputs.get(`${pin.topic}|${pin.partition}`))), ...endPins(plan)],
    (pin) => pin.partition,
  );
  return {
    rangeOf: ({ topic, partition }) => {
      const input = inputs.get(`${topic}|${partition}`);
      return input && { offset: input.start, clock: input.startClock, end: input.end };
    },
    tableEndOf: ({ topic, partition }) => tables.get(`${topic}|${partition}`),
    pinsOf: (partition) => byPartition.get(partition) ?? [],
    promises: plan.promises,
    names: plan.names,
  };
}

/** At the end itself live may have pinned more since. */
function isFrozen(pin: Pin, input: ReplayInput | undefined): boolean {
  return input !== undefined && pin.at >= input.start && pin.at < input.end;
}

function endPins(plan: ReplayPlan): Pin[] {
  return plan.inputs.flatMap(({ topic, partition, end, endClock }) =>
    Number.isFinite(endClock) ? [{ topic, partition, at: end, m: endClock }] : [],
  );
}

/** The plan as JSON text (topology/state/value-codec.ts: bigints and infinities come back). */
export function planToText(plan: ReplayPlan): string {
  return valueToText(plan);
}

/** The plan of such text. */
export function planFromText(text: Buffer): ReplayPlan {
  return decodeValue(text) as ReplayPlan;
}
