/** `npm run chaos`: faults at random on a real broker and several worker processes, then a comparison. */
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigError } from '#topology';
import { formatCounts, runTests, testFiles } from '../../dev/tests/run-tests.ts';

export const help = `sluice chaos [--minutes N] [--seed N]
  Kills, freezes and restarts workers and the broker at random for N minutes (default 20) while records flow, and demands progress after each
  fault and exact output in the end. --seed: the faults of an earlier run, which printed its seed.`;

const root = dirname(dirname(import.meta.dirname));
const MINUTE_MS = 60_000;
const MOST_MINUTES = 24 * 60;

export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { minutes: { type: 'string', default: '20' }, seed: { type: 'string' } },
  });
  const minutes = positive('--minutes', values.minutes, MOST_MINUTES);
  const seed = values.seed === undefined ? undefined : positive('--seed', values.seed, 2 ** 31);
  const counts = await runTests(await testFiles(root, 'long', ['faults/chaos']), {
    root,
    concurrency: 1,
    timeoutMs: (3 * minutes + 15) * MINUTE_MS,
    env: { SLUICE_CHAOS_MINUTES: String(minutes), ...(seed !== undefined && { SLUICE_SEED: String(seed) }) },
  });
  process.stdout.write(`\n${formatCounts(counts)}\n`);
  return counts.failed > 0 || counts.passed === 0 ? 1 : 0;
}

function positive(option: string, text: string, most: number): number {
  const value = Number(text);
  if (value > 0 && value <= most) return value;
  throw new ConfigError('SLC_CONFIG_OPTION', `${option} ${text}: not a number above 0 and at most ${most}`);
}
