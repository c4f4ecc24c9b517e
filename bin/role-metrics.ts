/** What each role tells Prometheus, and how it is. Names, units and labels: docs/METRICS.md. */
import { ConfigError, type SinkStats, type StageStats, type StreamApp } from '#topology';
import type { HttpCollectorStats } from '../connectors/http-events/types.ts';
import type { MysqlCdcStats } from '../connectors/mysql-cdc/types.ts';
import type { PartNow } from '../dashboard/index.ts';
import {
  type Health,
  type Metric,
  type MetricsServer,
  type Sample,
  serveMetrics,
  type Told,
} from '../connectors/prometheus/index.ts';

type AppStats = ReturnType<StreamApp['stats']>;
type Type = 'counter' | 'gauge';

/**
 * SLUICE_METRICS_PORT, on SLUICE_METRICS_HOST (127.0.0.1): undefined when the former is not set. The supervisor hears of the port. ConfigError
 * SLC_METRICS_PORT.
 */
export async function tellMetrics(told: Told): Promise<MetricsServer | undefined> {
  const text = process.env['SLUICE_METRICS_PORT'] ?? '';
  if (text === '') return undefined;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) {
    throw new ConfigError('SLC_METRICS_PORT', `SLUICE_METRICS_PORT is ${JSON.stringify(text)}, which is no port`, {
      hint: 'a number from 1 to 65535, or 0 for any free port',
    });
  }
  const server = await serveMetrics({ host: process.env['SLUICE_METRICS_HOST'] || '127.0.0.1', port }, told);
  process.send?.({ type: 'metrics', port: server.port });
  return server;
}

/** Role `run`; undefined before the application has started. */
export function stageMetrics(stats: AppStats | undefined): Metric[] {
  if (stats === undefined) return [];
  const { stages, commitMs } = stats;
  const per = (name: string, help: string, type: Type, value: (stage: StageStats) => number | null): Metric => ({
    name: `sluice_stage_${name}`,
    help,
    type,
    samples: stages.flatMap((stage): Sample[] => {
      const found = value(stage);
      return found === null ? [] : [{ labels: { stage: stage.name }, value: found }];
    }),
  });
  const seconds = (ms: number | null): number | null => (ms === null ? null : ms / 1_000);
  return [
    per('records_total', 'Records processed.', 'counter', ({ records }) => records),
    per(
      'written_total',
      'Records written to topics, repartition topics included.',
      'counter',
      ({ written }) => written,
    ),
    per('late_total', 'Records too late for their windows.', 'counter', ({ late }) => late),
    per('dead_letters_total', 'Records put aside.', 'counter', ({ deadLetters }) => deadLetters),
    per('dropped_total', 'Records dropped by an operator.', 'counter', ({ dropped }) => dropped),
    per('watermark_seconds', 'Event time up to which the stage is complete.', 'gauge', (stage) =>
      seconds(stage.watermark),
    ),
    per('lag_seconds', 'Event time behind the newest origin clock.', 'gauge', (stage) => seconds(stage.lagMs)),
    per('state_entries', 'Entries in the stores.', 'gauge', ({ stateEntries }) => stateEntries),
    {
      name: 'sluice_stage_held_back',
      help: '1 for the writer that holds the watermark back.',
      type: 'gauge',
      samples: stages.flatMap(({ name, heldBackBy }) =>
        heldBackBy === null ? [] : [{ labels: { stage: name, writer: heldBackBy }, value: 1 }],
      ),
    },
    {
      name: 'sluice_state_bytes',
      help: 'State, estimated: entries times the mean size of their changes.',
      type: 'gauge',
      samples: stages.flatMap(({ name, stores }) =>
        stores.flatMap(({ store, bytes }) =>
          bytes === null ? [] : [{ labels: { stage: name, store }, value: bytes }],
        ),
      ),
    },
    one('sluice_slots', 'Slots (partition numbers) that this process holds.', 'gauge', stats.slots.length),
    one('sluice_commits_total', 'Transactions committed by the slots held now.', 'counter', stats.commits),
    ...restoreMetrics(stats),
    ...standbyMetrics(stats),
    ...globalTableMetrics(stats),
    skewMetric(stats),
    {
      name: 'sluice_commit_seconds',
      help: 'Duration of commits, from begin to acknowledgement.',
      type: 'histogram',
      samples: [
        { bounds: commitMs.bounds.map((ms) => ms / 1_000), counts: commitMs.counts, sum: commitMs.sum / 1_000 },
      ],
    },
  ];
}

/** Who waits for whom. */
function skewMetric({ waits }: AppStats): Metric {
  return {
    name: 'sluice_skew_wait_seconds',
    help: 'Of an origin partition that waits: event time that it is ahead of the one it waits for.',
    type: 'gauge',
    samples: waits.flatMap(({ topic, partition, waitsFor, aheadMs }): Sample[] =>
      waitsFor === null || aheadMs === null
        ? []
        : [{ labels: { topic, partition, waits_for: waitsFor }, value: aheadMs / 1_000 }],
    ),
  };
}

/** How far the stores are back, and what they take in memory when they lie above files. */
function restoreMetrics({ restoring, state }: AppStats): Metric[] {
  return [
    one('sluice_restore_offsets', 'Changelog offsets to read before the slots run.', 'gauge', restoring.total),
    one('sluice_restored_offsets', 'Of those, read.', 'gauge', restoring.done),
    one('sluice_restore_offsets_per_second', 'Speed of the restore under way.', 'gauge', restoring.perSecond),
    ...(restoring.etaMs == null
      ? []
      : [one('sluice_restore_eta_seconds', 'Until the restore under way is done.', 'gauge', restoring.etaMs / 1_000)]),
    ...(state === undefined
      ? []
      : [
          one('sluice_state_memory_bytes', 'State in memory, estimated.', 'gauge', state.usedBytes),
          one('sluice_state_budget_bytes', 'What it may take.', 'gauge', state.budgetBytes),
        ]),
  ];
}

/** Copies of the state of slots that other processes own. */
function standbyMetrics({ standbys }: AppStats): Metric[] {
  const per = (name: string, help: string, value: (copy: AppStats['standbys'][number]) => number | null): Metric => ({
    name: `sluice_standby_${name}`,
    help,
    type: 'gauge',
    samples: standbys.flatMap((copy): Sample[] => {
      const found = value(copy);
      return found === null ? [] : [{ labels: { slot: copy.slot }, value: found }];
    }),
  });
  return [
    per('lag_offsets', 'Changelog offsets that the copy of a slot is behind.', ({ lag }) => lag),
    per('bytes', 'The copy, estimated: entries times the mean size of their changes.', ({ bytes }) => bytes),
  ];
}

/** Copies of whole topics, the same in every process. */
function globalTableMetrics({ globalTables }: AppStats): Metric[] {
  const per = (
    name: string,
    help: string,
    value: (table: AppStats['globalTables'][number]) => number,
    type: 'gauge' | 'counter' = 'gauge',
  ): Metric => ({
    name: `sluice_global_table_${name}`,
    help,
    type,
    samples: globalTables.map((table) => ({ labels: { store: table.store }, value: value(table) })),
  });
  return [
    per('rows', 'Rows of a global table.', ({ entries }) => entries),
    per('lag_offsets', 'Offsets of its topic that it is behind.', ({ lag }) => lag),
    per('dropped_total', 'Records of its topic without a key.', ({ dropped }) => dropped, 'counter'),
  ];
}

export function stageHealth(stats: AppStats | undefined): Health {
  if (stats === undefined)
    return {
      problems: {},
      ready: false,
      detail: { waitingFor: 'Kafka, the schema registry, or a global table that is being read' },
    };
  const { ready, slots, restoring } = stats;
  return { problems: {}, ready, detail: { slots, restoring } };
}

/** Role `sinks`. */
export function sinkMetrics(sinks: readonly SinkStats[]): Metric[] {
  const per = (name: string, help: string, type: Type, value: (sink: SinkStats) => number): Metric => ({
    name: `sluice_sink_${name}`,
    help,
    type,
    samples: sinks.map((sink) => ({ labels: { sink: sink.name }, value: value(sink) })),
  });
  return [
    per('rows_total', 'Records written to the target.', 'counter', ({ rows }) => rows),
    per('lag_records', 'Offsets that the target does not hold yet.', 'gauge', ({ lagRecords }) => lagRecords),
    per('lag_seconds', 'Age of the newest event time in the target; 0 when caught up.', 'gauge', (sink) => {
      return sink.lagMs / 1_000;
    }),
    per('partitions', 'Partitions that this process carries.', 'gauge', ({ partitions }) => partitions),
    per('waiting', '1 while the sink stands still.', 'gauge', ({ waitingFor }) => (waitingFor === undefined ? 0 : 1)),
  ];
}

export function sinkHealth(sinks: readonly SinkStats[], started: boolean): Health {
  const problems = waits(sinks);
  return { problems, ready: started && Object.keys(problems).length === 0, detail: { sinks: sinks.length } };
}

/** A source that a person has to mend says so in `ended`. */
export interface SourcesStats {
  /** undefined: not of this process. */
  readonly cdc: MysqlCdcStats | undefined;
  readonly collector: HttpCollectorStats | undefined;
  readonly ended: ReadonlyMap<string, string>;
}

/** Role `sources`. */
export function sourceMetrics(stats: SourcesStats): Metric[] {
  const { cdc, collector, ended } = stats;
  return [
    ...(cdc === undefined ? [] : cdcMetrics(cdc)),
    ...(collector === undefined ? [] : collectorMetrics(collector)),
    {
      name: 'sluice_hints_total',
      help: 'Hints of how far event time has come, per partition.',
      type: 'counter',
      samples: sourcesOf(stats).map(({ name, hints }) => ({ labels: { writer: name }, value: hints })),
    },
    {
      name: 'sluice_source_waiting',
      help: '1 while the source stands still.',
      type: 'gauge',
      samples: sourcesOf(stats).map(({ name, waitingFor }) => ({
        labels: { source: name },
        value: waitingFor === undefined && !ended.has(name) ? 0 : 1,
      })),
    },
  ];
}

function cdcMetrics(cdc: MysqlCdcStats): Metric[] {
  const { position } = cdc;
  return [
    one('sluice_cdc_records_total', 'Changes committed to Kafka, tombstones included.', 'counter', cdc.records),
    one('sluice_cdc_lag_seconds', 'Age of the newest change published; 0 when caught up.', 'gauge', cdc.lagMs / 1_000),
    {
      name: 'sluice_cdc_binlog_position_bytes',
      help: 'Everything before it in the binlog is in Kafka.',
      type: 'gauge',
      samples: position === undefined ? [] : [{ labels: { file: position.file }, value: position.pos }],
    },
    one('sluice_cdc_snapshot_done', '1 when the first snapshot is complete.', 'gauge', cdc.snapshotDone ? 1 : 0),
  ];
}

function collectorMetrics(collector: HttpCollectorStats): Metric[] {
  const by = (label: string, counts: Readonly<Record<string, number>>): Sample[] =>
    Object.entries(counts).map(([key, value]) => ({ labels: { [label]: key }, value }));
  return [
    {
      name: 'sluice_collector_events_total',
      help: 'Events committed to Kafka.',
      type: 'counter',
      samples: by('event', collector.accepted),
    },
    one('sluice_collector_rejected_total', 'Events committed to dead-letter topics.', 'counter', collector.rejected),
    {
      name: 'sluice_collector_requests_total',
      help: 'Requests answered.',
      type: 'counter',
      samples: by('status', collector.answered),
    },
  ];
}

function sourcesOf({
  cdc,
  collector,
}: SourcesStats): { name: string; waitingFor: string | undefined; hints: number }[] {
  return [
    ...(cdc === undefined ? [] : [{ ...cdc, name: 'cdc.shop' }]),
    ...(collector === undefined ? [] : [{ ...collector, name: 'collector' }]),
  ];
}

export function sourceHealth(stats: SourcesStats, started: boolean): Health {
  const problems = {
    ...waits(sourcesOf(stats)),
    ...Object.fromEntries([...stats.ended].map(([name, reason]) => [name, `waits for ${reason}`])),
  };
  return { problems, ready: started && Object.keys(problems).length === 0 };
}

/** Role `dashboard`. */
export function dashboardMetrics(
  parts: readonly PartNow[],
  clients: { readonly open: number; readonly dropped: number },
): Metric[] {
  return [
    one('sluice_dashboard_clients', 'Pages that look.', 'gauge', clients.open),
    one(
      'sluice_dashboard_dropped_total',
      'Pages that were cut off because they did not read.',
      'counter',
      clients.dropped,
    ),
    {
      name: 'sluice_dashboard_part_up',
      help: '1 for what answers, 0 for what is down.',
      type: 'gauge',
      samples: parts.flatMap(({ name, state }): Sample[] =>
        state === 'unknown' ? [] : [{ labels: { part: name }, value: state === 'up' ? 1 : 0 }],
      ),
    },
  ];
}

/** It can show what is down: that is its work. */
export function dashboardHealth(parts: readonly PartNow[]): Health {
  return {
    problems: {},
    ready: true,
    detail: { down: parts.flatMap(({ name, state }) => (state === 'down' ? [name] : [])) },
  };
}

function one(name: string, help: string, type: Type, value: number): Metric {
  return { name, help, type, samples: [{ value }] };
}

function waits(
  parts: readonly { readonly name: string; readonly waitingFor: string | undefined }[],
): Record<string, string> {
  return Object.fromEntries(
    parts.flatMap(({ name, waitingFor }) => (waitingFor === undefined ? [] : [[name, `waits: ${waitingFor}`]])),
  );
}
