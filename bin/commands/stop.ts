/** `npm stop`: ends what runs in this clone, also what a killed starter has left. */
import { parseArgs } from 'node:util';
import { composeContainers } from '../../dev/supervisor/docker.ts';
import { ended } from '../../dev/parts/identity.ts';
import { RUN_DIRS } from '../../dev/supervisor/local-run.ts';
import { readRunFile, RunFile } from '../../dev/supervisor/run-file.ts';
import { lockHolder } from '../../dev/supervisor/starter-lock.ts';
import { endLeftovers } from '../../dev/supervisor/stop.ts';

export const help = `sluice stop
  Ends the run of this clone in order, as Ctrl-C does; then what a killed one has left. Data stays.`;

/** A stop takes at most 10 s; containers a little more. */
const STOP_MS = 20_000;
const CONTAINERS_MS = 5_000;

export async function run(args: string[]): Promise<number> {
  parseArgs({ args, options: {} });
  let found = false;
  for (const dir of Object.values(RUN_DIRS)) found = (await stopRun(dir)) || found;
  if (!found) console.log('nothing runs');
  return 0;
}

async function stopRun(dir: string): Promise<boolean> {
  const starter = lockHolder(dir);
  if (starter !== undefined) {
    console.log(`ending the run of pid ${starter.pid}`);
    process.kill(starter.pid, 'SIGINT');
    if (!(await ended(starter, STOP_MS))) {
      console.log(`pid ${starter.pid} does not end: killed`);
      process.kill(starter.pid, 'SIGKILL');
      await ended(starter, 1_000);
    }
  }
  const { processes, containers } = readRunFile(dir);
  await endLeftovers(processes, (line) => console.log(line));
  if (containers !== undefined) await composeContainers(containers.file, dir, false).stop(CONTAINERS_MS);
  if (processes.length > 0 || containers !== undefined) new RunFile(dir).finish();
  return starter !== undefined || processes.length > 0 || containers !== undefined;
}
