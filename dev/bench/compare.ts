/** `npm run bench:compare A B`: two commits of this repository on one workload, in turn on the same broker. */
import { join } from 'node:path';
import { WORKLOADS, type WorkloadName } from './bench.ts';
import { type BenchContext, withBroker } from './broker.ts';
import { type CompareReport, compareRatios } from './compare-report.ts';
import { INPUT, loadInputs } from './load.ts';
import { measure, type RunResult } from './measure.ts';
import { machine } from './report.ts';
import { type DatasetName, DATASETS } from './workload.ts';
import { withWorktrees, type Worktree } from './worktrees.ts';

/** What it needs. */
export interface CompareOptions extends BenchContext {
  /** The repository. */
  readonly root: string;
  readonly commits: readonly [a: string, b: string];
  readonly workload: WorkloadName;
  readonly dataset: DatasetName;
  readonly workers: number;
  readonly runs: number;
  /** Node with its flags. */
  readonly node: readonly string[];
}

/** Runs it on a broker of its own. Rejects as `withBroker` and `withWorktrees` do; wrong results are told in the report. */
export async function benchCompare(options: CompareOptions): Promise<CompareReport> {
  const { dataset, workload, workers, progress } = options;
  const folders = { ...options, folder: join(options.folder, 'worktrees') };
  return await withWorktrees(options.commits, folders, async (worktrees) =>
    withBroker(options, async ({ client, address, pid }) => {
      progress(`loads ${DATASETS[dataset].records} records`);
      await loadInputs(client, DATASETS[dataset].records);
      const { job, kind } = WORKLOADS[workload];
      const env = { BOOTSTRAP: address, INPUT: INPUT.pageviews, ITEMS: INPUT.items, WORKLOAD: job };
      const { folder, signal } = options;
      const common = { client, engine: 'sluice', env, workers, kind, brokerPid: pid, folder, signal } as const;
      const expected = DATASETS[dataset][kind];
      const results = new Map<Worktree, RunResult[]>(worktrees.map((worktree) => [worktree, []]));
      for (let nth = 1; nth <= options.runs; nth++) {
        for (const worktree of orderOf(nth, worktrees)) {
          const command = [...options.node, join(worktree.folder, 'bin', 'main.ts'), 'bench', '--engine'];
          const result = await measure({ ...common, command, expected });
          results.get(worktree)?.push(result);
          const { cpuSeconds, wallSeconds, checksumOk, load } = result;
          const right = checksumOk ? 'right' : `WRONG: ${result.checksum}, not ${expected}`;
          const used = `${cpuSeconds.toFixed(1)} CPU-s, ${wallSeconds.toFixed(1)} s`;
          progress(`${workload} run ${nth}: ${worktree.name} ${used}, ${right} (load ${load.join('-')})`);
        }
      }
      const [a, b] = [...results].map(([{ name, commit }, runs]) => ({ name, commit, runs }));
      if (a === undefined || b === undefined) throw new Error('two commits are compared');
      const checksumOk = [...a.runs, ...b.runs].every((run) => run.checksumOk);
      const at = new Date().toISOString();
      const commits = [a, b] as const;
      return { machine: machine(), at, workload, dataset, workers, checksumOk, ratio: compareRatios(commits), commits };
    }),
  );
}

/** A B, B A, A B ...: who comes second finds warm caches, and that is to meet both. */
export const orderOf = <T>(nth: number, pair: readonly T[]): readonly T[] => (nth % 2 === 1 ? pair : pair.toReversed());
