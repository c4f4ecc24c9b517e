/** One sampler for all pages: asks the parts, keeps what they said last, and makes a snapshot of it in steps. */
import { type Probe, RunningProbe } from './probe.ts';
import type { GoldTableNow, HistoryPoint, PartNow, SinkNow, Snapshot, StreamsNow } from './snapshot.ts';

/** What is asked. A probe that there is no address for is left out. */
export interface Probes {
  readonly streams: Probe<StreamsNow>;
  readonly sinks?: Probe<readonly SinkNow[]> | undefined;
  readonly gold?: Probe<readonly GoldTableNow[]> | undefined;
}

/** Options of a sampler. */
export interface SamplerOptions {
  readonly app: string;
  readonly probes: Probes;
  /** A snapshot at most this often, ms. */
  readonly stepMs: number;
  onSnapshot(snapshot: Snapshot): void;
}

/** Points of the totals that are kept for pages that come later. */
export const HISTORY_POINTS = 180;
/** While nobody looks. */
const SLOWER = 5;
/** A source that has not told the time for this long is called silent, ms. */
const SILENT_MS = 15_000;

/** Makes snapshots until it is stopped. */
export class Sampler {
  readonly #options: SamplerOptions;
  readonly #streams: RunningProbe<StreamsNow>;
  readonly #sinks: RunningProbe<readonly SinkNow[]> | undefined;
  readonly #gold: RunningProbe<readonly GoldTableNow[]> | undefined;
  readonly #history: HistoryPoint[] = [];
  #last: StreamsNow | undefined;
  #point: HistoryPoint = { at: 0, bronze: null, silver: null, gold: null, lagMs: null };
  #timer: NodeJS.Timeout | undefined;
  #snapshot: Snapshot;
  #fresh = false;
  #slower = true;

  constructor(options: SamplerOptions) {
    this.#options = options;
    const { streams, sinks, gold } = options.probes;
    const changed = (): void => void (this.#fresh = true);
    this.#streams = new RunningProbe(streams, changed);
    this.#sinks = sinks && new RunningProbe(sinks, changed);
    this.#gold = gold && new RunningProbe(gold, changed);
    this.#snapshot = this.#make();
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Oldest first. */
  get history(): readonly HistoryPoint[] {
    return this.#history;
  }

  start(): void {
    for (const each of this.#all()) {
      each.slowDown(this.#slower ? SLOWER : 1);
      each.start();
    }
    this.#timer = setInterval(() => this.#step(), this.#options.stepMs);
  }

  /** Whether somebody looks. */
  watch(watched: boolean): void {
    this.#slower = !watched;
    for (const each of this.#all()) each.slowDown(watched ? 1 : SLOWER);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const each of this.#all()) each.stop();
  }

  #all(): (RunningProbe<StreamsNow> | RunningProbe<readonly SinkNow[]> | RunningProbe<readonly GoldTableNow[]>)[] {
    return [this.#streams, this.#sinks, this.#gold].filter((each) => each !== undefined);
  }

  #step(): void {
    if (!this.#fresh) return;
    this.#fresh = false;
    const streams = this.#streams.value;
    // One point per answer of Kafka, however often other parts answer.
    if (streams !== undefined && streams !== this.#last) {
      this.#last = streams;
      this.#point = totals(Date.now(), streams);
      this.#history.push(this.#point);
      if (this.#history.length > HISTORY_POINTS) this.#history.shift();
    }
    this.#snapshot = this.#make();
    this.#options.onSnapshot(this.#snapshot);
  }

  #parts(at: number, streams: StreamsNow | null): PartNow[] {
    const kafka = this.#streams.part;
    return [
      kafka,
      ...(this.#gold === undefined ? [] : [this.#gold.part]),
      ...processesOf(at, kafka, streams),
      ...(this.#sinks === undefined ? [] : [sinksPart(this.#sinks.part, this.#sinks.value ?? [])]),
    ];
  }

  #make(): Snapshot {
    const at = Date.now();
    const streams = this.#streams.value ?? null;
    return {
      at,
      app: this.#options.app,
      parts: this.#parts(at, streams),
      streams,
      sinks: this.#sinks?.value ?? [],
      gold: this.#gold?.value ?? [],
      history: this.#point,
    };
  }
}

/** What Kafka tells of processes: whether sources tell the time, and who runs stages. Without Kafka nobody knows how they are. */
function processesOf(at: number, kafka: PartNow, streams: StreamsNow | null): PartNow[] {
  const known = kafka.state === 'up' && streams !== null;
  const part = (name: string, state: PartNow['state'], detail: string | null, since = kafka.since): PartNow =>
    known ? { name, state, detail, since } : { name, state: 'unknown', detail: null, since: kafka.since };
  const writers = (streams?.writers ?? []).map(({ name, at: told }) =>
    at - told > SILENT_MS ? part(name, 'down', 'tells no time', told) : part(name, 'up', null),
  );
  const workers = streams?.workers ?? null;
  if (workers === null) return [...writers, part('Stages', 'up', 'partitions are being shared out')];
  const { members, slots } = workers;
  const detail = `${members} ${members === 1 ? 'process' : 'processes'}, ${slots} slots`;
  const isRun = members > 0;
  return [...writers, part('Stages', isRun ? 'up' : 'down', isRun ? detail : 'no process runs them')];
}

/** A target that does not answer, or a sink that nobody carries. */
function sinksPart(asked: PartNow, sinks: readonly SinkNow[]): PartNow {
  if (asked.state !== 'up') return { ...asked, state: 'unknown' };
  const wrong = sinks.flatMap(({ name, problem, members }) =>
    problem !== null ? [`${name}: ${problem}`] : members === 0 ? [`${name}: no process carries it`] : [],
  );
  return wrong.length === 0 ? asked : { ...asked, state: 'down', detail: wrong.join('; ') };
}

function totals(at: number, streams: StreamsNow): HistoryPoint {
  const sum = (tier: string): number | null => {
    const rates = streams.topics.flatMap((topic) => (topic.tier === tier ? [topic.perSecond] : []));
    const known = rates.filter((rate) => rate !== null);
    return known.length === 0 ? null : known.reduce((a, b) => a + b, 0);
  };
  const lags = streams.stages.flatMap(({ lagMs }) => (lagMs === null ? [] : [lagMs]));
  return {
    at,
    bronze: sum('bronze'),
    silver: sum('silver'),
    gold: sum('gold'),
    lagMs: lags.length === 0 ? null : Math.max(...lags),
  };
}
