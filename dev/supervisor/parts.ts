/** The local parts of one run: all started at once, taken over from a starter that was killed, started again when one ends. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Part, PartName, RunningPart } from '../parts/part.ts';
import { ended, endProcess, isAlive, signalGroup } from '../parts/identity.ts';
import type { Progress } from './progress.ts';
import type { RestartPolicy } from './roles.ts';
import type { ProcessEntry, RunFile } from './run-file.ts';

/** Where each part is. */
export type Addresses = Readonly<Partial<Record<PartName, string>>>;

export interface PartSpec {
  readonly name: PartName;
  /** Address from the environment or a container: nothing is started. */
  readonly given?: string | undefined;
  /** Parts whose addresses it needs; all others start at the same time. */
  readonly after?: readonly PartName[];
  part(addresses: Addresses): Part;
}

export interface PartsOptions {
  readonly dir: string;
  readonly cacheDir: string;
  readonly diskBytes: number;
  readonly restart: RestartPolicy;
  readonly runFile: RunFile;
  readonly progress: Progress;
  print(line: string): void;
}

/** Parts of the same rank end together; Kafka last, since all others write to it. */
const STOP_ORDER: readonly (readonly PartName[])[] = [['registry'], ['mysql', 'postgres'], ['kafka']];
const WATCH_MS = 1_000;
const END_MS = 5_000;

interface Kept {
  readonly spec: PartSpec;
  running: RunningPart;
  since: number;
  quickFailures: number;
  busy: boolean;
}

export class LocalParts {
  readonly #options: PartsOptions;
  readonly #kept = new Map<PartName, Kept>();
  readonly #abort = new AbortController();
  readonly #failed = Promise.withResolvers<Error>();
  readonly #ready = new Map<PartName, PromiseWithResolvers<string>>();
  /** Starts under way: an end waits for them, since each ends the server that it has begun. */
  readonly #pending = new Set<Promise<unknown>>();
  #watch: NodeJS.Timeout | undefined;

  constructor(options: PartsOptions) {
    this.#options = options;
  }

  /** Resolves with the reason when a part is given up. */
  get failed(): Promise<Error> {
    return this.#failed.promise;
  }

  /** Resolves when this part answers, while others may be starting still; never when it does not. */
  address(name: PartName): Promise<string> {
    const ready = this.#ready.get(name) ?? Promise.withResolvers<string>();
    this.#ready.set(name, ready);
    return ready.promise;
  }

  /** Starts all; when one fails, the others are ended and its error is thrown. */
  async start(specs: readonly PartSpec[], signal: AbortSignal): Promise<Addresses> {
    signal.addEventListener('abort', () => this.#abort.abort(), { once: true });
    if (signal.aborted) this.#abort.abort();
    const left = this.#options.runFile.state.processes.filter(({ kind }) => kind === 'part');
    const starts = new Map<PartName, Promise<string>>();
    const addresses = async (names: readonly PartName[]): Promise<Addresses> =>
      Object.fromEntries(await Promise.all(names.map(async (name) => [name, await starts.get(name)])));
    // In the order of their needs: each finds the promises that it waits for.
    for (const spec of [...specs].sort((a, b) => (a.after?.length ?? 0) - (b.after?.length ?? 0))) {
      const entry = left.find(({ name }) => name === spec.name);
      starts.set(spec.name, this.#announced(spec.name, this.#one(spec, entry, addresses)));
    }
    // The first in time is the reason; the others were then given up for it.
    const failures: unknown[] = [];
    const failed = (error: unknown): void => {
      failures.push(error);
      this.#abort.abort();
    };
    await Promise.all([...starts.values()].map((start) => start.catch(failed)));
    if (failures.length > 0) throw failures[0];
    this.#watch = setInterval(() => this.#look(), WATCH_MS);
    return await addresses([...starts.keys()]);
  }

  async #track<T>(work: Promise<T>): Promise<T> {
    this.#pending.add(work);
    try {
      return await work;
    } finally {
      this.#pending.delete(work);
    }
  }

  async #announced(name: PartName, start: Promise<string>): Promise<string> {
    const address = await this.#track(start);
    void this.address(name);
    this.#ready.get(name)?.resolve(address);
    return address;
  }

  async #one(
    spec: PartSpec,
    entry: ProcessEntry | undefined,
    addresses: (names: readonly PartName[]) => Promise<Addresses>,
  ): Promise<string> {
    const { progress } = this.#options;
    if (spec.given !== undefined) {
      if (entry !== undefined) await this.#end(entry);
      progress.step(spec.name, `given: ${withoutPassword(spec.given)}`);
      return spec.given;
    }
    const needs = await addresses(spec.after ?? []);
    const part = spec.part(needs);
    const left = entry === undefined ? undefined : await this.#takeOver(spec, part, entry);
    if (left !== undefined) {
      progress.ready(spec.name, `runs since ${entry?.since ?? '?'} at ${withoutPassword(left.address)}: taken over`);
      return left.address;
    }
    const running = await part.start(this.#context(spec.name));
    this.#keep(spec, running);
    progress.ready(spec.name, `at ${withoutPassword(running.address)}`);
    return running.address;
  }

  /** What a killed starter has left: ours again when it answers, ended when it does not. */
  async #takeOver(spec: PartSpec, part: Part, entry: ProcessEntry): Promise<RunningPart | undefined> {
    try {
      const running = isAlive(entry) ? await part.adopt(this.#context(spec.name), entry) : undefined;
      if (running !== undefined) {
        this.#keep(spec, running, entry.since);
        return running;
      }
    } catch (error) {
      this.#options.print(
        `${spec.name} cannot be taken over: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    await this.#end(entry);
    return undefined;
  }

  async #end(entry: ProcessEntry): Promise<void> {
    if (isAlive(entry)) this.#options.print(`${entry.name} of an earlier start (pid ${entry.pid}) is ended`);
    await endProcess(entry, 'SIGTERM', END_MS);
    this.#options.runFile.remove(entry.name);
  }

  #keep(spec: PartSpec, running: RunningPart, since = new Date().toISOString()): void {
    const { pid, startTime } = running;
    const earlier = this.#kept.get(spec.name)?.quickFailures ?? 0;
    this.#kept.set(spec.name, { spec, running, since: Date.now(), quickFailures: earlier, busy: false });
    this.#options.runFile.put({
      name: spec.name,
      kind: 'part',
      pid,
      startTime,
      command: spec.name,
      since,
      address: running.address,
      ports: running.ports,
    });
  }

  #context(name: PartName): Parameters<Part['start']>[0] {
    const { dir, cacheDir, diskBytes, runFile, progress } = this.#options;
    return {
      dataDir: join(dir, 'data', name),
      logFile: join(dir, 'logs', `${name}.log`),
      cacheDir,
      diskBytes,
      ports: runFile.state.ports[name] ?? {},
      progress: (text, bytes) => progress.step(name, text, bytes),
      started: ({ pid, startTime }, ports) =>
        runFile.put({ name, kind: 'part', pid, startTime, command: name, since: new Date().toISOString(), ports }),
      signal: this.#abort.signal,
    };
  }

  #look(): void {
    for (const kept of this.#kept.values()) {
      if (kept.busy || this.#abort.signal.aborted || isAlive(kept.running)) continue;
      kept.busy = true;
      void this.#track(this.#again(kept));
    }
  }

  /** Starts a part that has ended by itself, at the address that the roles know. */
  async #again(kept: Kept): Promise<void> {
    const { name } = kept.spec;
    const { restart, print } = { restart: this.#options.restart, print: (line: string) => this.#options.print(line) };
    kept.quickFailures = Date.now() - kept.since < restart.quickMs ? kept.quickFailures + 1 : 1;
    while (!this.#abort.signal.aborted) {
      if (kept.quickFailures >= restart.maxQuickFailures) {
        this.#failed.resolve(new Error(`${name} is given up after ${kept.quickFailures} quick failures`));
        return;
      }
      const delay = Math.min(restart.maxDelayMs, restart.firstDelayMs * 2 ** (kept.quickFailures - 1));
      print(`${name} has ended; starting again in ${delay / 1_000} s, log: ${join('logs', `${name}.log`)}`);
      try {
        await sleep(delay, undefined, { signal: this.#abort.signal });
        const running = await kept.spec.part(this.#addresses()).start(this.#context(name));
        this.#keep(kept.spec, running);
        if (running.address !== kept.running.address) {
          this.#failed.resolve(
            new Error(`${name} came back at ${withoutPassword(running.address)}: its port was taken; start again`),
          );
        }
        return;
      } catch (error) {
        kept.quickFailures++;
        if (!this.#abort.signal.aborted) print(error instanceof Error ? error.message : String(error));
      }
    }
  }

  #addresses(): Addresses {
    return Object.fromEntries([...this.#kept].map(([name, { running }]) => [name, running.address]));
  }

  /** No part is started or restarted from here on. */
  beginStop(): void {
    clearInterval(this.#watch);
    this.#abort.abort();
  }

  /** Ends all in order; `deadlines`: wall clock, one per rank of the order, the last for Kafka. */
  async stop(deadlines: readonly [number, number, number]): Promise<void> {
    this.beginStop();
    await Promise.allSettled(this.#pending);
    for (const [rank, names] of STOP_ORDER.entries()) {
      await Promise.all(names.map((name) => this.#stopOne(name, deadlines[rank] ?? deadlines[2])));
    }
  }

  async #stopOne(name: PartName, deadline: number): Promise<void> {
    const kept = this.#kept.get(name);
    if (kept === undefined) return;
    await kept.running.stop(Math.max(0, deadline - Date.now()));
    this.#options.runFile.remove(name);
  }

  /** Ends the groups of all at once. */
  async kill(): Promise<void> {
    this.beginStop();
    const running = [...this.#kept.values()].map((kept) => kept.running);
    for (const id of running) signalGroup(id, 'SIGKILL');
    await Promise.all(running.map((id) => ended(id, 1_000)));
  }
}

/** An address fit for a screen or a log. */
export function withoutPassword(address: string): string {
  return address.replace(/(:\/\/[^:/@]*):[^@]*@/, '$1:***@');
}
