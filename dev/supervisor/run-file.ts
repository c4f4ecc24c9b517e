/** `.sluice/run.json`: what this run has started, so that a later start, stop or status finds it even when the starter was killed. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessId } from '../parts/identity.ts';

/** A process that was started: a part (a server) or a role (`sluice <name>`). */
export interface ProcessEntry extends ProcessId {
  readonly name: string;
  readonly kind: 'part' | 'role';
  readonly command: string;
  /** Wall clock, ISO. */
  readonly since: string;
  readonly address?: string;
  readonly ports?: Readonly<Record<string, number>>;
}

export interface StarterEntry extends ProcessId {
  readonly since: string;
  readonly command: string;
}

/** Containers that `--docker` has started. */
export interface ContainersEntry {
  readonly project: string;
  readonly file: string;
}

export interface RunState {
  readonly version: 1;
  readonly starter?: StarterEntry;
  readonly processes: readonly ProcessEntry[];
  /** What the roles were told: variable -> address. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Ports of the last start by owner, kept when it has stopped: the next start takes them again. */
  readonly ports: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly containers?: ContainersEntry;
}

const EMPTY: RunState = { version: 1, processes: [], addresses: {}, ports: {} };

export function readRunFile(dir: string): RunState {
  try {
    const parsed: unknown = JSON.parse(readFileSync(join(dir, 'run.json'), 'utf8'));
    return isRunState(parsed) ? parsed : EMPTY;
  } catch {
    return EMPTY;
  }
}

function isRunState(value: unknown): value is RunState {
  if (typeof value !== 'object' || value === null) return false;
  const state = value as Partial<RunState>;
  return state.version === 1 && Array.isArray(state.processes) && typeof state.ports === 'object';
}

/** The run file of the starter that holds the lock: every change is on disk before it returns. */
export class RunFile {
  readonly #dir: string;
  #state: RunState;

  constructor(dir: string) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true });
    this.#state = readRunFile(dir);
  }

  get state(): RunState {
    return this.#state;
  }

  update(change: Partial<Omit<RunState, 'version'>>): void {
    this.#state = { ...this.#state, ...change };
    this.#write();
  }

  /** Puts the process in place of an earlier one of the same name. */
  put(entry: ProcessEntry): void {
    const { processes, ports } = this.#state;
    this.update({
      processes: [...processes.filter(({ name }) => name !== entry.name), entry],
      ports: entry.ports === undefined ? ports : { ...ports, [entry.name]: entry.ports },
    });
  }

  remove(name: string): void {
    this.update({ processes: this.#state.processes.filter((entry) => entry.name !== name) });
  }

  /** What stays when all has ended: the ports. */
  finish(): void {
    this.#state = { ...EMPTY, ports: this.#state.ports };
    this.#write();
  }

  #write(): void {
    const file = join(this.#dir, 'run.json');
    const draft = `${file}.${process.pid}`;
    // Addresses hold passwords.
    writeFileSync(draft, `${JSON.stringify(this.#state, undefined, 2)}\n`, { mode: 0o600 });
    renameSync(draft, file);
  }
}
