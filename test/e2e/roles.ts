/** The roles of Sluice as child processes, for tests of everything at once. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const MAIN = join(ROOT, 'bin', 'main.ts');
const STOP_MS = 10_000;

/** What a role told last. */
export interface RoleStats {
  readonly restored?: number;
  readonly commits?: number;
  readonly slots?: readonly number[];
  readonly workers?: { readonly wanted: number; readonly running: number; readonly restarts: number };
  readonly stages?: readonly { readonly name: string; readonly records: number }[];
  readonly sinks?: readonly { readonly name: string; readonly rows: number; readonly lagRecords: number }[];
  readonly events?: number;
  readonly changes?: number;
}

/** A role in a process of its own. */
export class RoleProcess {
  readonly name: string;
  stats: RoleStats = {};
  done = false;
  /** Where it serves metrics, when SLUICE_METRICS_PORT is set. */
  metricsPort: number | undefined;
  /** Where it says that it listens. */
  address: string | undefined;
  readonly #child: ChildProcess;
  readonly #ready: Promise<void>;
  readonly #exited: Promise<number | string>;

  constructor(
    name: string,
    args: readonly string[],
    options: { readonly env: NodeJS.ProcessEnv; readonly logs: string },
  ) {
    this.name = name;
    const log = openSync(join(options.logs, `${name}.log`), 'a');
    this.#child = fork(MAIN, [name, ...args], {
      env: { ...process.env, ...options.env },
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    this.#exited = new Promise(
      (resolve) => void this.#child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown')),
    );
    this.#ready = new Promise((resolve, reject) => {
      void this.#exited.then((how) => reject(new Error(`${name} has ended (${how}); see ${options.logs}/${name}.log`)));
      this.#child.on('message', (message: RoleStats & { type: string; port?: number; address?: string }) => {
        if (message.type === 'ready') {
          this.address = message.address;
          resolve();
        }
        if (message.type === 'metrics') this.metricsPort = message.port;
        if (message.type === 'stats') this.stats = message;
        if (message.type === 'done') {
          this.stats = { ...this.stats, ...message };
          this.done = true;
        }
      });
    });
    this.#ready.catch(() => undefined);
  }

  ready(): Promise<void> {
    return this.#ready;
  }

  /** Exit code or signal. */
  exited(): Promise<number | string> {
    return this.#exited;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  async stop(): Promise<void> {
    if (!this.running) return;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await this.#exited;
    clearTimeout(timer);
  }
}

/** Runs a role to its end; its output is the test's. */
export async function runRole(
  name: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, name, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
  const code = await new Promise<number>((resolve) => void child.once('exit', (exit) => resolve(exit ?? 1)));
  return { code, output };
}

/** Waits for a condition; the message says what did not come. */
export async function until(what: string, ms: number, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + ms;
  while (!(await condition())) {
    assert.ok(Date.now() < end, `${what}: not within ${ms / 1_000} s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
