import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ended, identityOf, isAlive } from '../../dev/parts/index.ts';
import { endAbandoned, noteServers } from '../../dev/tests/abandoned.ts';

let parent: string;
const children: ChildProcess[] = [];

before(async () => {
  parent = await mkdtemp(join(tmpdir(), 'abandoned-'));
});
after(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(parent, { recursive: true, force: true });
});

async function folderWith(name: string, starter: number): Promise<{ folder: string; pid: number }> {
  const folder = join(parent, name);
  await mkdir(folder);
  const server = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
  children.push(server);
  const pid = server.pid ?? 0;
  const file = noteServers(folder);
  const since = new Date().toISOString();
  file.update({ starter: { ...identityOf(starter), since, command: 'test' } });
  file.put({ name: 'kafka', kind: 'part', ...identityOf(pid), command: 'kafka', since });
  return { folder, pid };
}

test('servers of a test run that was killed are ended, those of one that runs are not', async () => {
  const gone = spawn('sleep', ['60'], { stdio: 'ignore' });
  const left = await folderWith('sluice-test-1', gone.pid ?? 0);
  const used = await folderWith('sluice-test-2', process.pid);
  const [leftServer, usedServer] = [identityOf(left.pid), identityOf(used.pid)];
  const starter = identityOf(gone.pid ?? 0);
  gone.kill('SIGKILL');
  assert.ok(await ended(starter, 5_000));

  const lines: string[] = [];
  await endAbandoned((line) => lines.push(line), parent);
  assert.equal(isAlive(leftServer), false);
  assert.equal(existsSync(left.folder), false);
  assert.ok(isAlive(usedServer));
  assert.ok(existsSync(used.folder));
  assert.deepEqual(lines, [`kafka of an earlier start (pid ${left.pid}) is ended`]);
});
