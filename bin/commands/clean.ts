/** `npm run clean`: removes the data of this clone. */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { diskUsed } from '../../dev/supervisor/disk-used.ts';
import { removeContainers } from '../../dev/supervisor/docker.ts';
import { isAlive } from '../../dev/parts/identity.ts';
import { COMPOSE_FILE, partSpecs, RUN_DIRS } from '../../dev/supervisor/local-run.ts';
import { readRunFile } from '../../dev/supervisor/run-file.ts';
import { lockHolder } from '../../dev/supervisor/starter-lock.ts';
import { removeRun } from '../../dev/supervisor/supervise.ts';
import { confirmed } from '../confirmed.ts';

export const help = `sluice clean [--yes]
  Removes data and logs of the local parts (.sluice, and volumes of --docker), after asking. --yes: without. Downloads stay. Not while it runs.`;

export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { yes: { type: 'boolean', default: false } } });
  for (const dir of Object.values(RUN_DIRS)) {
    if (lockHolder(dir) === undefined && !readRunFile(dir).processes.some(isAlive)) continue;
    console.log('Sluice runs: end it first (npm stop)');
    return 1;
  }
  if (!existsSync(RUN_DIRS.long)) {
    console.log('there is no data');
    return 0;
  }
  const used = `${((await diskUsed(RUN_DIRS.long)) / 1e6).toFixed(0)} MB in ${RUN_DIRS.long}`;
  if (!values.yes && !(await confirmed(`Remove all data: topics, tables and logs, ${used}? [y/N] `))) {
    console.log(
      `nothing removed${process.stdin.isTTY ? '' : ': nobody to ask here; npm run clean -- --yes removes without'}`,
    );
    return 1;
  }
  for (const dir of [RUN_DIRS.bounded, RUN_DIRS.long]) {
    await removeContainers(COMPOSE_FILE, dir);
    if (existsSync(dir)) await removeRun(dir, partSpecs({}));
  }
  console.log(`removed ${used}`);
  return 0;
}
