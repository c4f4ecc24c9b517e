/** What the page is told, as JSON: the server makes it, the page draws it. Types only. Times are ms since the epoch; null: not known. */

/** Something that Sluice stands on or consists of. 'unknown': not asked yet. */
export interface PartNow {
  readonly name: string;
  readonly state: 'up' | 'down' | 'unknown';
  /** What is wrong, or what there is to say. */
  readonly detail: string | null;
  /** Since when it is in this state, wall clock. */
  readonly since: number;
}

/** A topic of a tier. */
export interface TopicNow {
  readonly name: string;
  readonly tier: string | null;
  /** Records per second that it gets. */
  readonly perSecond: number | null;
  /** The largest event time in it. */
  readonly newest: number | null;
}

/** Who holds a watermark back. `chain`: the tasks between, nearest first. */
export interface HeldBackNow {
  readonly writer: string | null;
  readonly topic: string;
  readonly partition: number;
  readonly reason: string;
  readonly chain: readonly string[];
}

/** A stage, over all its tasks. */
export interface StageNow {
  readonly name: string;
  /** Records per second that it has read from topics that are not its own. */
  readonly inPerSecond: number | null;
  /** Records per second that it has written to topics that are not its own. */
  readonly outPerSecond: number | null;
  /** Offsets that it has not committed yet. */
  readonly behind: number;
  /** Of its least task. */
  readonly watermark: number | null;
  /** How far that is behind the newest origin clock. */
  readonly lagMs: number | null;
  readonly heldBackBy: HeldBackNow | null;
}

/** A sink, over all its partitions. */
export interface SinkNow {
  readonly name: string;
  /** Offsets that its target does not hold; null while that does not answer. */
  readonly behind: number | null;
  /** Processes that carry it. */
  readonly members: number;
  readonly problem: string | null;
}

/** Late records or dead letters of one topic and reason. */
export interface PutAsideNow {
  readonly kind: 'late' | 'dead';
  readonly topic: string;
  readonly stage: string;
  readonly reason: string;
  readonly count: number;
  readonly newest: number | null;
  readonly example: string;
  readonly detail: string;
}

/** What Kafka tells. */
export interface StreamsNow {
  /** The newest clock of an origin: what lag is measured from. */
  readonly newestClock: number | null;
  readonly topics: readonly TopicNow[];
  readonly stages: readonly StageNow[];
  /** Writers of hints, and when each has told the time last, wall clock. */
  readonly writers: readonly { readonly name: string; readonly at: number }[];
  /** Who runs the stages; null while the group shares its partitions out. */
  readonly workers: { readonly members: number; readonly slots: number } | null;
  readonly putAside: readonly PutAsideNow[];
  /** False while late records and dead letters that were there before are still being counted. */
  readonly counted: boolean;
}

/** A chart. 'bars': one figure per label; 'series': one figure per series and point in time. */
export type ChartNow =
  | {
      readonly kind: 'bars';
      readonly title: string;
      readonly unit: string;
      readonly bars: readonly { readonly label: string; readonly value: number }[];
    }
  | {
      readonly kind: 'series';
      readonly title: string;
      readonly unit: string;
      /** Ascending. */
      readonly times: readonly number[];
      /** `values[i]` belongs to `times[i]`. */
      readonly series: readonly { readonly label: string; readonly values: readonly number[] }[];
    };

/** A table of gold with its newest rows, as text. */
export interface GoldTableNow {
  readonly name: string;
  readonly about: string;
  /** About how many rows it has, as PostgreSQL reckons it. */
  readonly rows: number | null;
  readonly columns: readonly { readonly name: string; readonly kind: 'text' | 'number' | 'time' }[];
  readonly newest: readonly (readonly (string | null)[])[];
  readonly chart: ChartNow | null;
  /** Why there is nothing to show. */
  readonly problem: string | null;
}

/** One moment of the totals. */
export interface HistoryPoint {
  readonly at: number;
  /** Records per second into bronze, silver, gold. */
  readonly bronze: number | null;
  readonly silver: number | null;
  readonly gold: number | null;
  /** Of the stage that is farthest behind, ms. */
  readonly lagMs: number | null;
}

/** All that the page shows at one moment. What did not answer keeps what it told last; `parts` says so. */
export interface Snapshot {
  readonly at: number;
  readonly app: string;
  readonly parts: readonly PartNow[];
  readonly streams: StreamsNow | null;
  readonly sinks: readonly SinkNow[];
  readonly gold: readonly GoldTableNow[];
  readonly history: HistoryPoint;
}

/** What does not change while it runs. */
export interface TopologyNow {
  readonly app: string;
  /** Topics that no stage writes, and who writes them. */
  readonly sources: readonly { readonly topic: string; readonly tier: string | null }[];
  /** In the order of what they read. Topics of a stage's own (repartition topics) are left out. */
  readonly stages: readonly {
    readonly name: string;
    readonly tier: string | null;
    readonly reads: readonly string[];
    readonly writes: readonly string[];
    readonly tasks: number;
    readonly stores: number;
  }[];
  readonly sinks: readonly { readonly name: string; readonly reads: readonly string[] }[];
}
