/** What roles tell their supervisor over IPC. Everything is optional: a role of another version must not end the supervisor. */

export interface StageRow {
  readonly name: string;
  readonly records: number;
  readonly lagMs: number | undefined;
  readonly watermark: number | undefined;
  readonly heldBackBy: string | undefined;
}

export interface SinkRow {
  readonly name: string;
  readonly rows: number;
  readonly waitingFor: string | undefined;
}

export interface SourceRow {
  readonly name: string;
  readonly records: number;
  readonly waitingFor: string | undefined;
}

/** Processes that a role consists of, when it is more than one. */
export interface Workers {
  readonly wanted: number;
  readonly running: number;
  readonly restarts: number;
}

export interface RoleStats {
  readonly workers?: Workers;
  readonly stages?: readonly StageRow[];
  readonly sinks?: readonly SinkRow[];
  readonly sources?: readonly SourceRow[];
  readonly events?: number;
  readonly changes?: number;
}

/** The end of a bounded simulation: where its manifest is and what it has sent. */
export interface SimulationDone {
  readonly manifest: string | undefined;
  readonly events: number;
  readonly changes: number;
}

export type RoleMessage =
  | { readonly type: 'ready'; readonly address: string | undefined }
  | { readonly type: 'metrics'; readonly port: number }
  | { readonly type: 'stats'; readonly stats: RoleStats }
  | { readonly type: 'done'; readonly done: SimulationDone };

/** A message as the supervisor understands it; undefined for anything else. */
export function parseMessage(message: unknown): RoleMessage | undefined {
  if (!isRecord(message)) return undefined;
  switch (message['type']) {
    case 'ready':
      return { type: 'ready', address: text(message['address']) };
    case 'metrics': {
      const port = number(message['port']);
      return port === undefined ? undefined : { type: 'metrics', port };
    }
    case 'stats':
      return { type: 'stats', stats: statsOf(message) };
    case 'done':
      return {
        type: 'done',
        done: {
          manifest: text(message['manifest']),
          events: number(message['events']) ?? 0,
          changes: number(message['changes']) ?? 0,
        },
      };
    default:
      return undefined;
  }
}

function statsOf(message: Record<string, unknown>): RoleStats {
  const [events, changes] = [number(message['events']), number(message['changes'])];
  return {
    ...(isRecord(message['workers']) && { workers: workersOf(message['workers']) }),
    ...(Array.isArray(message['stages']) && { stages: rows(message['stages'], stageRow) }),
    ...(Array.isArray(message['sinks']) && { sinks: rows(message['sinks'], sinkRow) }),
    ...(Array.isArray(message['sources']) && { sources: rows(message['sources'], sourceRow) }),
    ...(events !== undefined && { events }),
    ...(changes !== undefined && { changes }),
  };
}

function workersOf(workers: Record<string, unknown>): Workers {
  return {
    wanted: number(workers['wanted']) ?? 0,
    running: number(workers['running']) ?? 0,
    restarts: number(workers['restarts']) ?? 0,
  };
}

function stageRow(row: Record<string, unknown>): StageRow {
  return {
    name: text(row['name']) ?? '?',
    records: number(row['records']) ?? 0,
    lagMs: number(row['lagMs']),
    watermark: number(row['watermark']),
    heldBackBy: text(row['heldBackBy']),
  };
}

function sinkRow(row: Record<string, unknown>): SinkRow {
  return { name: text(row['name']) ?? '?', rows: number(row['rows']) ?? 0, waitingFor: text(row['waitingFor']) };
}

function sourceRow(row: Record<string, unknown>): SourceRow {
  return { name: text(row['name']) ?? '?', records: number(row['records']) ?? 0, waitingFor: text(row['waitingFor']) };
}

function rows<T>(values: readonly unknown[], of: (row: Record<string, unknown>) => T): T[] {
  return values.filter(isRecord).map(of);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
