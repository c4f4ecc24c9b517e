/** What a simulator must know after a restart: nothing that it may have used before is used again. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { SimulatorError } from './failure.ts';
import type { NextIds } from './world.ts';

export interface SimState {
  readonly version: 1;
  /** Seconds of a bounded run; null in live mode. */
  readonly seconds: number | null;
  /** Length of the history before live traffic, ms; none when it is not there. */
  readonly history?: number;
  /** First event time of a bounded run or of the history, ms. */
  readonly start: number;
  /** Number of starts so far: each has other random numbers. */
  readonly life: number;
  /** No event time and no clock at or after this has been used, ms. */
  readonly base: number;
  /** No id at or after these has been used. */
  readonly next: NextIds;
  /** What has arrived in this run. */
  readonly events: number;
  readonly changes: number;
  readonly done: boolean;
}

export class StateFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Undefined when there is none. Throws SimulatorError SLC_CONFIG_SIMULATOR_STATE for a file that is none of ours. */
  read(): SimState | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
    const parsed = parse(text);
    if (parsed !== undefined) return parsed;
    throw new SimulatorError(
      'SLC_CONFIG_SIMULATOR_STATE',
      `${this.#path} is no state of a simulator`,
      'remove it, and the shop database with it: ids begin again at 1',
    );
  }

  /** Whole or not at all. */
  write(state: SimState): void {
    mkdirSync(dirname(this.#path), { recursive: true });
    const next = `${this.#path}.next`;
    writeFileSync(next, JSON.stringify(state));
    renameSync(next, this.#path);
  }
}

function parse(text: string): SimState | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('version' in value) || value.version !== 1) return undefined;
  return value as SimState;
}
