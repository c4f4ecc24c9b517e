/** Roles: `sluice <name>` as a process group of its own, restarted when it ends unexpectedly. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { ended, identityOf, signalGroup, type ProcessId } from '../parts/identity.ts';
import { lastLines, logSize } from './log-rotation.ts';
import { parseMessage, type RoleStats, type SimulationDone } from './messages.ts';
import type { ProcessEntry, RunFile } from './run-file.ts';

/** When a role is stopped: what produces first, what others stand on last. */
export type RoleTier = 'traffic' | 'source' | 'topology' | 'sink' | 'target';

export interface RoleSpec {
  readonly name: string;
  readonly tier: RoleTier;
  /** Program and arguments. */
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
}

export interface RestartPolicy {
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** A life shorter than this is a quick failure. */
  readonly quickMs: number;
  readonly maxQuickFailures: number;
}

export const DEFAULT_RESTART: RestartPolicy = {
  firstDelayMs: 1_000,
  maxDelayMs: 30_000,
  quickMs: 30_000,
  maxQuickFailures: 5,
};

/** A role that refuses its configuration says the same next time: it is not started again. */
const EXIT_CONFIG = 2;
const TAIL_LINES = 20;

export interface RoleContext {
  readonly logDir: string;
  readonly runFile: RunFile;
  readonly restart: RestartPolicy;
  print(line: string): void;
}

export type RoleState = 'starting' | 'ready' | 'waiting' | 'finished' | 'failed' | 'stopped';

/** One role over all its lives. */
export class Role {
  readonly spec: RoleSpec;
  readonly logFile: string;
  readonly #context: RoleContext;
  #child: ChildProcess | undefined;
  #id: ProcessId | undefined;
  #entry: ProcessEntry | undefined;
  #metricsTold: number | undefined;
  #state: RoleState = 'starting';
  #restarts = 0;
  #quickFailures = 0;
  #timer: NodeJS.Timeout | undefined;
  #stats: RoleStats = {};
  #logStart = 0;
  readonly #done = Promise.withResolvers<SimulationDone>();
  readonly #failed = Promise.withResolvers<Error>();

  constructor(spec: RoleSpec, context: RoleContext) {
    this.spec = spec;
    this.#context = context;
    this.logFile = join(context.logDir, `${spec.name}.log`);
  }

  get state(): RoleState {
    return this.#state;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** The newest numbers that it has told. */
  get stats(): RoleStats {
    return this.#stats;
  }

  /** Resolves with the end of a bounded simulation. */
  get done(): Promise<SimulationDone> {
    return this.#done.promise;
  }

  /** Resolves with the reason when it is given up. */
  get failed(): Promise<Error> {
    return this.#failed.promise;
  }

  start(): void {
    const { name, command, env } = this.spec;
    mkdirSync(this.#context.logDir, { recursive: true });
    this.#logStart = logSize(this.logFile);
    // Appending: rotation empties the file under the running role.
    const log = openSync(this.logFile, 'a');
    const started = Date.now();
    this.#state = 'starting';
    const [program, ...args] = command;
    // A group of its own: Ctrl-C at the terminal reaches the starter only, which stops all in order.
    const child = spawn(program, args, { detached: true, stdio: ['ignore', log, log, 'ipc'], env });
    closeSync(log);
    this.#child = child;
    child.on('message', (message) => this.#hear(message));
    child.once('error', (error) => {
      if (child.pid === undefined) this.#onEnd(started, error.message, undefined);
    });
    child.once('exit', (code, signal) => this.#onEnd(started, signal ?? `exit code ${code ?? '?'}`, code));
    if (child.pid === undefined) return;
    this.#id = identityOf(child.pid);
    this.#entry = {
      name,
      kind: 'role',
      ...this.#id,
      command: command.join(' '),
      since: new Date(started).toISOString(),
    };
    this.#context.runFile.put(this.#entry);
  }

  #tellMetrics(port: number): void {
    if (this.#entry === undefined || this.#child === undefined) return;
    this.#context.runFile.put({ ...this.#entry, ports: { metrics: port } });
    if (this.#metricsTold === port) return;
    this.#metricsTold = port;
    this.#context.print(`${this.spec.name}: metrics and health at http://127.0.0.1:${port}/metrics, /healthz, /readyz`);
  }

  #hear(raw: unknown): void {
    const message = parseMessage(raw);
    // What was on its way when the role was stopped changes nothing: else its end would count as unexpected.
    if (message?.type === 'ready' && this.#state === 'starting') this.#state = 'ready';
    if (message?.type === 'metrics') this.#tellMetrics(message.port);
    if (message?.type === 'stats') this.#stats = { ...this.#stats, ...message.stats };
    if (message?.type === 'done') {
      if (this.#state !== 'stopped') this.#state = 'finished';
      this.#done.resolve(message.done);
    }
  }

  #onEnd(started: number, how: string, code: number | null | undefined): void {
    this.#child = undefined;
    this.#context.runFile.remove(this.spec.name);
    if (this.#state === 'stopped' || this.#state === 'finished') return;
    const { restart } = this.#context;
    this.#quickFailures = Date.now() - started < restart.quickMs ? this.#quickFailures + 1 : 1;
    if (code === EXIT_CONFIG || this.#quickFailures >= restart.maxQuickFailures) {
      this.#giveUp(
        code === EXIT_CONFIG ? 'it refuses its configuration' : `${this.#quickFailures} quick failures`,
        how,
      );
      return;
    }
    const delay = Math.min(restart.maxDelayMs, restart.firstDelayMs * 2 ** (this.#quickFailures - 1));
    this.#state = 'waiting';
    this.#restarts++;
    this.#context.print(`${this.spec.name} ended (${how}); starting again in ${delay / 1_000} s, log: ${this.logFile}`);
    this.#timer = setTimeout(() => this.start(), delay);
  }

  #giveUp(why: string, how: string): void {
    this.#state = 'failed';
    const { name } = this.spec;
    const lines = lastLines(this.logFile, TAIL_LINES, this.#logStart);
    const error = new Error(`${name} is given up: ${why}, at last ${how}`);
    this.#context.print([error.message, ...lines.map((line) => `  | ${line}`), `  log: ${this.logFile}`].join('\n'));
    this.#failed.resolve(error);
  }

  /** Asks it to end and waits until the deadline (wall clock, ms); then its group is killed. */
  async stop(deadline: number): Promise<void> {
    clearTimeout(this.#timer);
    const [child, id] = [this.#child, this.#id];
    if (this.#state !== 'failed') this.#state = 'stopped';
    if (child === undefined || id === undefined) return;
    child.kill('SIGTERM');
    if (!(await ended(id, deadline - Date.now()))) {
      this.#context.print(`${this.spec.name} does not end: killed`);
      signalGroup(id, 'SIGKILL');
      await ended(id, 1_000);
    }
    this.#context.runFile.remove(this.spec.name);
  }

  /** Ends its group at once. */
  kill(): void {
    clearTimeout(this.#timer);
    this.#state = 'stopped';
    if (this.#id !== undefined) signalGroup(this.#id, 'SIGKILL');
  }
}
