/** What happens, every 2 s: redrawn in place on a terminal, else plain lines. */
import type { RoleStats, Workers } from './messages.ts';
import type { RoleState } from './roles.ts';

/** Where lines go. */
export interface Output {
  readonly isTTY: boolean;
  readonly columns: number | undefined;
  write(text: string): void;
}

/** What the view shows of a role. */
export interface RoleView {
  readonly name: string;
  readonly state: RoleState;
  readonly restarts: number;
  readonly stats: RoleStats;
}

const VIEW_MS = 2_000;
const numbers = new Intl.NumberFormat('en-US');

/** Lines that stay, and below them a block that is redrawn. */
export class Screen {
  readonly #output: Output;
  #drawn = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  /** A line that stays. */
  print(text: string): void {
    this.#output.write(`${this.#erase()}${text}\n`);
  }

  /** On a terminal in place of the block before. */
  block(lines: readonly string[]): void {
    const { isTTY, columns = 120 } = this.#output;
    // A line that wraps would be two to erase.
    const shown = isTTY ? lines.map((line) => line.slice(0, columns - 1)) : lines;
    const erase = this.#erase();
    this.#drawn = isTTY ? shown.length : 0;
    this.#output.write(`${erase}${shown.join('\n')}\n`);
  }

  /** The block stays as it is; what follows comes below. */
  release(): void {
    this.#drawn = 0;
  }

  #erase(): string {
    const lines = this.#drawn;
    this.#drawn = 0;
    return lines === 0 ? '' : `\u001B[${lines}A\u001B[0J`;
  }
}

/** Draws until the returned function is called. */
export function showLive(screen: Screen, roles: () => readonly RoleView[], everyMs: number = VIEW_MS): () => void {
  const begun = Date.now();
  const timer = setInterval(() => {
    const lines = viewLines(roles(), Date.now() - begun);
    screen.block(lines);
  }, everyMs);
  return () => {
    clearInterval(timer);
    screen.release();
  };
}

/** The view as lines; pure. */
export function viewLines(roles: readonly RoleView[], upMs: number): string[] {
  const all = <T>(of: (stats: RoleStats) => readonly T[] | undefined): T[] =>
    roles.flatMap(({ stats }) => of(stats) ?? []);
  const sum = (of: (stats: RoleStats) => number | undefined): number =>
    roles.reduce((total, { stats }) => total + (of(stats) ?? 0), 0);
  const sent = roles.some(({ stats }) => stats.events !== undefined || stats.changes !== undefined);
  const simulated = sent
    ? `, simulated ${count(sum((stats) => stats.events))} events, ${count(sum((stats) => stats.changes))} changes`
    : '';
  const lines = [`up ${durationText(upMs)}${simulated}`];
  const sources = all((stats) => stats.sources);
  if (sources.length > 0) lines.push(row('SOURCE', 'RECORDS', '', ''));
  for (const { name, records, waitingFor } of sources) lines.push(row(name, count(records), '', waiting(waitingFor)));
  const stages = all((stats) => stats.stages);
  if (stages.length > 0) lines.push(row('STAGE', 'RECORDS', 'LAG', 'WATERMARK'));
  for (const { name, records, lagMs, watermark, heldBackBy } of stages) {
    const lag = lagMs === undefined ? '-' : durationText(lagMs);
    const held = watermark === undefined && heldBackBy !== undefined ? `held back by ${heldBackBy}` : '-';
    lines.push(row(name, count(records), lag, watermark === undefined ? held : timeText(watermark)));
  }
  const sinks = all((stats) => stats.sinks);
  if (sinks.length > 0) lines.push(row('SINK', 'ROWS', '', ''));
  for (const { name, rows, waitingFor } of sinks) lines.push(row(name, count(rows), '', waiting(waitingFor)));
  for (const { name, state, restarts, stats } of roles) {
    if (stats.workers !== undefined) lines.push(`${name}: ${workersText(stats.workers)}`);
    if (state === 'waiting' || state === 'failed' || state === 'starting') lines.push(`${name}: ${state}`);
    else if (restarts > 0) lines.push(`${name}: started again ${restarts} times`);
  }
  return lines;
}

function workersText({ wanted, running, restarts }: Workers): string {
  const alive = running === wanted ? `${wanted} workers` : `${running} of ${wanted} workers`;
  return restarts === 0 ? alive : `${alive}, started again ${restarts} times`;
}

function row(name: string, figure: string, lag: string, text: string): string {
  return `  ${name.padEnd(28)} ${figure.padStart(12)}  ${lag.padStart(9)}  ${text}`.trimEnd();
}

function count(value: number): string {
  return numbers.format(value);
}

function waiting(reason: string | undefined): string {
  return reason === undefined ? '' : `waits: ${reason}`;
}

function timeText(ms: number): string {
  const limit = 8.64e15;
  return Math.abs(ms) > limit ? '-' : new Date(ms).toISOString().replace('T', ' ').replace('Z', '');
}

/** 950 ms, 4.2 s, 3 m 05 s, 2 h 07 m, 3 d 04 h. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = Math.floor(ms / 1_000);
  const two = (value: number): string => String(value).padStart(2, '0');
  if (seconds < 60) return `${(ms / 1_000).toFixed(1)} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
  const hours = Math.floor(seconds / 3_600);
  if (hours < 24) return `${hours} h ${two(Math.floor(seconds / 60) % 60)} m`;
  return `${Math.floor(hours / 24)} d ${two(hours % 24)} h`;
}
