/** Servers that Sluice needs on a developer's machine. Each is found by an address, or started here as a process group of its own. */

export type PartName = 'kafka' | 'registry' | 'mysql' | 'postgres';

/** The variable that names an address of this part; when it is set, nothing is started. */
export const PART_ENV = {
  kafka: 'SLUICE_KAFKA',
  registry: 'SLUICE_REGISTRY',
  mysql: 'SLUICE_MYSQL',
  postgres: 'SLUICE_POSTGRES',
} as const satisfies Record<PartName, string>;

/** A process for good: a pid alone is given to another process after a while. */
export interface ProcessId {
  readonly pid: number;
  /** Opaque: when it was started, as this system says it. Equal only for the same process. */
  readonly startTime: string;
}

export interface PartContext {
  /** Data of this part, kept between starts; the part creates it. An absolute path. */
  readonly dataDir: string;
  /** stdout and stderr of the server are appended to this file, so that it outlives its starter. An absolute path. */
  readonly logFile: string;
  /** Downloads, shared by all clones of this user. An absolute path. */
  readonly cacheDir: string;
  /** Bytes that the part may keep on disk (Kafka: all topics together). */
  readonly diskBytes: number;
  /** Ports of the last start by name (`client`, `controller`); taken again when they are free. */
  readonly ports: Readonly<Record<string, number>>;
  /** One line of what goes on, with bytes when it is a download. */
  readonly progress: (text: string, bytes?: { done: number; total?: number }) => void;
  /** Called when the server's process is there, long before it answers: should the starter be killed now, the next one knows of it. */
  started?(process: ProcessId, ports: Readonly<Record<string, number>>): void;
  /** Aborted when the start is given up: downloads stop, a server that was started is ended. */
  readonly signal: AbortSignal;
}

/** `pid` and `startTime` are the server's process group leader. */
export interface RunningPart extends ProcessId {
  readonly name: PartName;
  /** What the roles get in PART_ENV[name]: host:port, or a URL. May hold a password: not for logs. */
  readonly address: string;
  readonly ports: Readonly<Record<string, number>>;
  /** Asks it to end, waits at most `timeoutMs`, then kills its group. Safe to call for one that has ended. */
  stop(timeoutMs: number): Promise<void>;
}

export interface Part {
  readonly name: PartName;
  /** A prerequisite that this machine lacks, as one message with what to install; undefined when all is there. */
  missing(context: Pick<PartContext, 'cacheDir'>): Promise<string | undefined>;
  /** Downloads what is needed, starts the server and returns when it answers requests. Its last 20 log lines are in the error. */
  start(context: PartContext): Promise<RunningPart>;
  /** Takes over a server of an earlier start (`context.ports` are its ports); undefined when that process has ended. It may be starting still. */
  adopt(context: PartContext, process: ProcessId): Promise<RunningPart | undefined>;
  /** Deletes the data of a server that does not run, wherever it lies. */
  removeData(dataDir: string): Promise<void>;
}
