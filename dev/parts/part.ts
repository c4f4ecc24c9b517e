/** Servers that Sluice needs on a developer's machine. Each is found by an address, or started here as a process group of its own. */

import type { ProcessId } from './process.ts';

export type PartName = 'kafka' | 'registry' | 'mysql' | 'postgres';

/** The variable that names an address of this part; when it is set, nothing is started. */
export const PART_ENV = {
  kafka: 'SLUICE_KAFKA',
  registry: 'SLUICE_REGISTRY',
  mysql: 'SLUICE_MYSQL',
  postgres: 'SLUICE_POSTGRES',
} as const satisfies Record<PartName, string>;

export interface PartContext {
  /** Data of this part, kept between starts; the part creates it. */
  readonly dataDir: string;
  /** stdout and stderr of the server are appended to this file, so that it outlives its starter. */
  readonly logFile: string;
  /** Downloads, shared by all clones of this user. */
  readonly cacheDir: string;
  /** Bytes that the part may keep on disk (Kafka: all topics together). */
  readonly diskBytes: number;
  /** Ports of the last start by name (`client`, `controller`); taken again when they are free. */
  readonly ports: Readonly<Record<string, number>>;
  /** One line of what goes on, with bytes when it is a download. */
  progress(text: string, bytes?: { done: number; total?: number }): void;
  /** Aborted when the start is given up: downloads stop, a server that was started is ended. */
  readonly signal: AbortSignal;
}

export interface RunningPart {
  readonly name: PartName;
  /** What the roles get in PART_ENV[name]: host:port, or a URL. */
  readonly address: string;
  readonly ports: Readonly<Record<string, number>>;
  /** The leader of the server's process group. */
  readonly process: ProcessId;
}

export interface Part {
  readonly name: PartName;
  /** A prerequisite that this machine lacks, as one message with what to install; undefined when all is there. */
  missing(): Promise<string | undefined>;
  /** Downloads what is needed, starts the server and returns when it answers requests. Its last 20 log lines are in the error. */
  start(context: PartContext): Promise<RunningPart>;
}
