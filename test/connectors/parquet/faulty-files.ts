/** node:fs/promises that fails on demand, for what imports it in this process: at a chosen operation, before or after it was done. */
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { type FileHandle } from 'node:fs/promises';

/** What an operation on files is to do. */
export interface FaultPlan {
  /** The operation that fails, from 0 on; those on paths outside of `folder` do not count. */
  readonly at: number;
  /** Done nevertheless: only its answer is lost. */
  readonly done: boolean;
  /** All that follow fail too, and do nothing: the process has died. */
  readonly dead: boolean;
  readonly code: string;
}

const fs = createRequire(import.meta.url)('node:fs/promises') as Record<
  string,
  (...args: unknown[]) => Promise<unknown>
>;
const NAMES = ['open', 'link', 'rename', 'mkdir', 'readdir', 'readFile', 'rm', 'stat'] as const;
const HANDLE = ['writeFile', 'sync'] as const;

/** Counts operations below a folder, and lets one fail. Not for concurrent tests in one process. */
export class FaultyFiles {
  readonly #folder: string;
  readonly #real = new Map<string, (...args: unknown[]) => Promise<unknown>>();
  #plan: FaultPlan | undefined;
  /** Operations since `begin`. */
  operations = 0;
  /** What failed first: for people. */
  failed = '';

  constructor(folder: string) {
    this.#folder = folder;
    for (const name of NAMES) {
      const real = fs[name] as (...args: unknown[]) => Promise<unknown>;
      this.#real.set(name, real);
      fs[name] = async (...args: unknown[]) => {
        if (!String(args[0]).startsWith(this.#folder)) return real(...args);
        return this.#through(name, async () => {
          const result = await real(...args);
          return name === 'open' ? this.#handle(result as FileHandle) : result;
        });
      };
    }
    syncBuiltinESMExports();
  }

  /** Counts from 0 on. Without a plan nothing fails. */
  begin(plan?: FaultPlan): void {
    this.#plan = plan;
    this.operations = 0;
    this.failed = '';
  }

  /** From now on nothing fails; what was counted stays. */
  heal(): void {
    this.#plan = undefined;
  }

  restore(): void {
    for (const [name, real] of this.#real) fs[name] = real;
    syncBuiltinESMExports();
  }

  async #through(name: string, work: () => Promise<unknown>): Promise<unknown> {
    const plan = this.#plan;
    const at = this.operations++;
    if (plan === undefined || at < plan.at || (at > plan.at && !plan.dead)) return work();
    if (this.failed === '') this.failed = name;
    if (at === plan.at && plan.done) {
      const result = await work();
      // Nobody has the file that was opened.
      if (name === 'open') await (result as FileHandle).close();
    }
    throw Object.assign(new Error(`${plan.code}: ${name}, as the test wants`), { code: plan.code });
  }

  #handle(handle: FileHandle): FileHandle {
    for (const name of HANDLE) {
      const real = handle[name].bind(handle) as (...args: unknown[]) => Promise<unknown>;
      Object.defineProperty(handle, name, { value: (...args: unknown[]) => this.#through(name, () => real(...args)) });
    }
    return handle;
  }
}
