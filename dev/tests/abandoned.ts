/** Servers of a test run that was killed: the next one ends them. */
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identityOf, isAlive, postgresPart } from '../parts/index.ts';
import { readRunFile, RunFile } from '../supervisor/run-file.ts';
import { endLeftovers } from '../supervisor/stop.ts';

const FOLDER = /^sluice-/;

/** Notes in the folder who started what is put into it, so that it is found when this process cannot end it. */
export function noteServers(folder: string): RunFile {
  const file = new RunFile(folder);
  const since = new Date().toISOString();
  file.update({ starter: { ...identityOf(process.pid), since, command: 'test' } });
  return file;
}

/** Ends what processes that are gone have started, and deletes its folders; nothing of those that still run. */
export async function endAbandoned(print: (line: string) => void, parent = tmpdir()): Promise<void> {
  for (const name of await readdir(parent)) {
    const folder = join(parent, name);
    if (!FOLDER.test(name) || !existsSync(join(folder, 'run.json'))) continue;
    const { starter, processes } = readRunFile(folder);
    // One that ended in order may have left its logs for somebody to read.
    if (starter === undefined || isAlive(starter) || processes.length === 0) continue;
    await endLeftovers(processes, print);
    // PostgreSQL's may lie elsewhere.
    await postgresPart().removeData(join(folder, 'postgres'));
    await rm(folder, { recursive: true, force: true });
  }
}
