/** One run: parts, then roles, then the live view, until somebody stops it or its work is done. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { PartName } from '../parts/part.ts';
import { identityOf, isAlive } from '../parts/identity.ts';
import { type Output, Screen, showLive } from './live-view.ts';
import { keepLogsSmall } from './log-rotation.ts';
import { type Addresses, LocalParts, type PartSpec, withoutPassword } from './parts.ts';
import { Progress } from './progress.ts';
import { DEFAULT_RESTART, type RestartPolicy, Role, type RoleSpec } from './roles.ts';
import { type ProcessEntry, RunFile } from './run-file.ts';
import { lockStarter } from './starter-lock.ts';
import { endLeftovers, killAll, stopAll } from './stop.ts';

/** Servers in containers instead of local ones. */
export interface Containers {
  readonly project: string;
  readonly file: string;
  /** Returns when all are healthy. */
  up(signal: AbortSignal, print: (line: string) => void): Promise<Addresses>;
  stop(timeoutMs: number): Promise<void>;
}

/** What a bounded run sees of its roles. */
export interface Work {
  readonly addresses: Addresses;
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly role: (name: string) => Role;
  readonly print: (line: string) => void;
  /** Ends the live view: what follows writes to the terminal itself. */
  readonly quiet: () => void;
  /** Makes a process known that was started for the work, so that it is ended with the roles. */
  readonly started: (entry: ProcessEntry) => void;
}

export interface SuperviseOptions {
  /** run.json, logs/ and data/ of this run. Absolute. */
  readonly dir: string;
  /** Begin with empty data. */
  readonly fresh: boolean;
  readonly cacheDir: string;
  readonly diskBytes: number;
  readonly parts: readonly PartSpec[];
  readonly containers?: Containers | undefined;
  readonly output: Output;
  readonly restart?: RestartPolicy;
  readonly viewMs?: number;
  /** Variables of the roles; also printed. `ports`: those of the last start. */
  environment(
    addresses: Addresses,
    ports: Readonly<Record<string, Readonly<Record<string, number>>>>,
  ): Promise<Readonly<Record<string, string>>>;
  /** Before the roles, while parts start still: `address` resolves when that part answers. */
  prepare?(
    address: (name: PartName) => Promise<string>,
    signal: AbortSignal,
    print: (line: string) => void,
  ): Promise<void>;
  roles(env: Readonly<Record<string, string>>): readonly RoleSpec[];
  /** Runs beside the roles and never ends the run. */
  beside?(work: Work): Promise<void>;
  /** A bounded run: over when this resolves, with its exit code. A role or part that is given up ends it, too, with 1. */
  readonly work?: ((work: Work) => Promise<number>) | undefined;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const FORCED = 130;
const SAME_PRESS_MS = 500;
/** What a lock, and a run within another's directory, keep when data is wiped. */
const KEPT = new Set(['starter.lock', 'installing']);

/** Resolves with the exit code when everything that was started has ended. One run per directory. */
export async function supervise(options: SuperviseOptions): Promise<number> {
  const lock = lockStarter(options.dir);
  if (!lock.held) {
    options.output.write(`Sluice runs already (pid ${lock.by.pid}). npm stop ends it, npm run status shows it.\n`);
    return 1;
  }
  const run = new Run(options);
  const onSignal = (signal: NodeJS.Signals): void => run.interrupt(signal);
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    return await run.toEnd();
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
    lock.release();
  }
}

class Run {
  readonly #options: SuperviseOptions;
  readonly #screen: Screen;
  readonly #runFile: RunFile;
  readonly #parts: LocalParts;
  readonly #stop = new AbortController();
  readonly #roles: Role[] = [];
  readonly #print: (line: string) => void;
  #quiet: () => void = () => undefined;
  #failed = false;
  #interrupted = false;
  #interruptedAt = 0;
  #containersUp = false;

  constructor(options: SuperviseOptions) {
    this.#options = options;
    this.#screen = new Screen(options.output);
    this.#print = (line) => this.#screen.print(line);
    mkdirSync(join(options.dir, 'logs'), { recursive: true });
    this.#runFile = new RunFile(options.dir);
    this.#parts = new LocalParts({
      dir: options.dir,
      cacheDir: options.cacheDir,
      diskBytes: options.diskBytes,
      restart: options.restart ?? DEFAULT_RESTART,
      runFile: this.#runFile,
      progress: new Progress(this.#print),
      print: this.#print,
    });
  }

  /** The first signal ends all in order, the second at once. */
  interrupt(signal: NodeJS.Signals): void {
    // One Ctrl-C may come twice: from the terminal, and from npm or a wrapper that passes it on.
    if (this.#interrupted && Date.now() - this.#interruptedAt < SAME_PRESS_MS) return;
    if (this.#interrupted) {
      this.#print('killing all');
      // The process table is settled before the exit, so that nobody finds a half-dead server.
      void killAll(this.#roles, this.#parts).finally(() => {
        this.#runFile.finish();
        process.exit(FORCED);
      });
      return;
    }
    this.#interrupted = true;
    this.#interruptedAt = Date.now();
    this.#quiet();
    this.#print(
      `${signal === 'SIGINT' ? '\n' : ''}stopping: producers, topology, sinks, databases, Kafka (again: at once)`,
    );
    this.#stop.abort();
  }

  async toEnd(): Promise<number> {
    const stopRotation = keepLogsSmall(join(this.#options.dir, 'logs'));
    let code = 1;
    try {
      code = await this.#until();
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
      code = 0;
    } finally {
      stopRotation();
      this.#quiet();
      await this.#end();
    }
    if (this.#failed) return 1;
    return this.#interrupted && this.#options.work !== undefined ? FORCED : code;
  }

  async #until(): Promise<number> {
    await this.#clearLeftovers();
    const { options, signal } = { options: this.#options, signal: this.#stop.signal };
    const prepared = options.prepare?.((name) => this.#parts.address(name), signal, this.#print);
    const [addresses] = await Promise.all([this.#startParts(), prepared]);
    signal.throwIfAborted();
    const env = await options.environment(addresses, this.#runFile.state.ports);
    this.#tell(env);
    const restart = options.restart ?? DEFAULT_RESTART;
    const context = { logDir: join(options.dir, 'logs'), runFile: this.#runFile, restart, print: this.#print };
    for (const spec of options.roles(env)) this.#roles.push(new Role(spec, context));
    for (const role of this.#roles) role.start();
    this.#showLive();
    const work = this.#work(addresses, env);
    const beside = options.beside?.(work).catch((error: unknown) => {
      if (!signal.aborted) this.#print(String(error));
    });
    const ends: Promise<number>[] = [aborted(signal).then(() => 0), this.#givenUp()];
    if (options.work !== undefined) ends.push(options.work(work));
    const code = await Promise.race(ends);
    this.#stop.abort();
    await beside;
    return code;
  }

  #work(addresses: Addresses, env: Readonly<Record<string, string>>): Work {
    return {
      addresses,
      env,
      signal: this.#stop.signal,
      role: (name) => {
        const role = this.#roles.find(({ spec }) => spec.name === name);
        if (role === undefined) throw new Error(`there is no role ${name}`);
        return role;
      },
      print: this.#print,
      quiet: () => this.#quiet(),
      started: (entry) => this.#runFile.put(entry),
    };
  }

  /** A part or role that is given up ends a bounded run; a long run goes on without it, and says so. */
  #givenUp(): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    const watch = async (failed: Promise<Error>): Promise<void> => {
      const error = await failed;
      this.#failed = true;
      if (this.#options.work !== undefined) resolve(1);
      else this.#print(`${error.message}. The others go on; Ctrl-C ends them.`);
    };
    for (const failed of [this.#parts.failed, ...this.#roles.map((role) => role.failed)]) void watch(failed);
    return promise;
  }

  async #clearLeftovers(): Promise<void> {
    const { dir, fresh, parts, containers } = this.#options;
    const left = this.#runFile.state.processes;
    const known = new Set<string>(parts.map(({ name }) => name));
    const keep = (entry: ProcessEntry): boolean =>
      !fresh && containers === undefined && entry.kind === 'part' && known.has(entry.name) && isAlive(entry);
    await endLeftovers(
      left.filter((entry) => !keep(entry)),
      this.#print,
    );
    if (fresh) {
      await removeRun(dir, parts);
      mkdirSync(join(dir, 'logs'), { recursive: true });
    }
    this.#runFile.update({
      starter: {
        ...identityOf(process.pid),
        since: new Date().toISOString(),
        command: process.argv.slice(2).join(' '),
      },
      processes: left.filter(keep),
      addresses: {},
    });
  }

  async #startParts(): Promise<Addresses> {
    const { parts, containers } = this.#options;
    let given: Addresses = {};
    if (containers !== undefined) {
      this.#containersUp = true;
      this.#runFile.update({ containers: { project: containers.project, file: containers.file } });
      given = await containers.up(this.#stop.signal, this.#print);
    }
    const specs = parts.map((spec) => ({ ...spec, given: spec.given ?? given[spec.name] }));
    return await this.#parts.start(specs, this.#stop.signal);
  }

  #tell(env: Readonly<Record<string, string>>): void {
    const shown = Object.entries(env).filter(([name]) => name.startsWith('SLUICE_'));
    const addresses = Object.fromEntries(shown.map(([name, value]) => [name, withoutPassword(value)]));
    const ports = { ...this.#runFile.state.ports };
    for (const name of ['collector', 'capture', 'dashboard']) {
      const port = Number(env[`SLUICE_${name.toUpperCase()}_PORT`] ?? '');
      if (Number.isSafeInteger(port) && port > 0) ports[name] = { http: port };
    }
    this.#runFile.update({
      addresses,
      ports,
    });
    this.#print(
      [
        '',
        ...Object.entries(addresses).map(([name, value]) => `  ${name}=${value}`),
        `  logs: ${join(this.#options.dir, 'logs')}`,
        '',
      ].join('\n'),
    );
  }

  #showLive(): void {
    const views = (): { name: string; state: Role['state']; restarts: number; stats: Role['stats'] }[] =>
      this.#roles.map(({ spec, state, restarts, stats }) => ({ name: spec.name, state, restarts, stats }));
    const stop = showLive(this.#screen, views, this.#options.viewMs);
    this.#quiet = () => {
      this.#quiet = () => undefined;
      stop();
    };
  }

  async #end(): Promise<void> {
    const begun = Date.now();
    // From here on a first Ctrl-C means: at once.
    const wasInterrupted = this.#interrupted;
    this.#interrupted = true;
    this.#stop.abort();
    await stopAll(this.#roles, this.#parts);
    if (this.#containersUp) await this.#options.containers?.stop(CONTAINERS_MS);
    await endLeftovers(this.#runFile.state.processes, this.#print);
    this.#runFile.finish();
    this.#interrupted = wasInterrupted;
    const kept = this.#options.fresh ? '' : `; data stays in ${this.#options.dir}, the next start goes on from there`;
    this.#print(`all ended in ${((Date.now() - begun) / 1_000).toFixed(1)} s${kept}`);
  }
}

const CONTAINERS_MS = 4_000;

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Deletes all of a run's directory but what says who runs; parts may have data elsewhere. */
export async function removeRun(dir: string, parts: readonly PartSpec[]): Promise<void> {
  for (const spec of parts) await spec.part(NO_ADDRESSES).removeData(join(dir, 'data', spec.name satisfies PartName));
  for (const name of readdirSync(dir)) {
    if (!KEPT.has(name)) rmSync(join(dir, name), { recursive: true, force: true });
  }
}

const NO_ADDRESSES: Addresses = {};
