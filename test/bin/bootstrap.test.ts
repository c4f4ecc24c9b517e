/** bin/sluice.js in a project of its own, with a fake npm that "installs" this Node; and the commands' dispatch. No server, no network. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { testEnvironment } from '../../dev/tests/run-tests.ts';

const root = join(import.meta.dirname, '..', '..');
const DEADLINE_MS = 20_000;

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function start(file: string, args: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}) {
  const child = spawn(process.execPath, [file, ...args], {
    cwd: options.cwd ?? root,
    env: { ...testEnvironment(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 2 * DEADLINE_MS,
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const ended = once(child, 'close').then(([code]): Ended => ({ code: code as number | null, out, err }));
  return { child, ended, err: () => err };
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) assert.fail(`did not come: ${what}`);
    await sleep(20);
  }
}

describe('bin/sluice.js', () => {
  let folder: string;
  let project: string;
  let env: Record<string, string>;
  const stamp = () => join(project, 'node_modules', '.sluice-lock');
  const installs = async () =>
    (await readFile(join(folder, 'installs'), 'utf8').catch(() => '')).split('\n').length - 1;
  const installers = () => readdir(join(project, '.sluice', 'installing')).catch(() => []);
  const sluice = (...args: string[]) => start(join(project, 'bin', 'sluice.js'), args, { cwd: folder, env });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice boot '));
    project = join(folder, 'a clone');
    await mkdir(join(project, 'bin'), { recursive: true });
    await mkdir(join(folder, 'path'));
    await copyFile(join(root, 'bin', 'sluice.js'), join(project, 'bin', 'sluice.js'));
    await writeFile(join(project, 'package.json'), '{"type":"module"}');
    await writeFile(join(project, 'package-lock.json'), '{"lock":1}');
    await writeFile(join(project, 'bin', 'main.ts'), MAIN);
    await writeFile(join(folder, 'path', 'npm'), FAKE_NPM);
    await chmod(join(folder, 'path', 'npm'), 0o755);
    env = {
      PATH: [join(folder, 'path'), process.env['PATH']].join(delimiter),
      FAKE_FOLDER: folder,
      FAKE_NODE: process.execPath,
    };
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  test('installs once, says so in one line, and runs its own Node in a path with spaces', async () => {
    const first = await sluice('print', 'two words').ended;
    assert.equal(first.code, 0, first.err);
    assert.match(first.err, /^Installing packages \.\.\. \d+\.\d s\n$/);
    const told = JSON.parse(first.out) as { args: string[]; path: string };
    assert.deepEqual(told.args, ['print', 'two words']);
    assert.equal(told.path, join(project, 'node_modules', 'node', 'bin'));
    assert.match(await readFile(join(folder, 'npm-arguments'), 'utf8'), /^ci .*--loglevel=error/);

    const second = await sluice('print').ended;
    assert.deepEqual([second.code, second.err, await installs()], [0, '', 1]);
  });

  test('installs again when the lock file has changed, or an install was broken off', async () => {
    await sluice('print').ended;
    await writeFile(join(project, 'package-lock.json'), '{"lock":2}');
    await sluice('print').ended;
    assert.equal(await installs(), 2);

    env['FAKE_NPM'] = 'hang';
    await writeFile(join(project, 'package-lock.json'), '{"lock":1}');
    const broken = sluice('print');
    await until('npm runs', async () => (await installs()) === 3);
    broken.child.kill('SIGTERM');
    const { code, out } = await broken.ended;
    assert.deepEqual([code, out, existsSync(stamp())], [143, '', false]);

    env['FAKE_NPM'] = '';
    // Back to a lock that was installed before: what was broken off since counts.
    await writeFile(join(project, 'package-lock.json'), '{"lock":2}');
    assert.equal((await sluice('print').ended).code, 0);
    assert.equal(await installs(), 4);
  });

  test("shows npm's output only when it fails, and runs nothing then", async () => {
    env['FAKE_NPM'] = 'fail';
    const failed = await sluice('print').ended;
    assert.deepEqual([failed.code, failed.out, existsSync(stamp())], [1, '', false]);
    assert.match(failed.err, /npm ci failed:\nto stdout\nto stderr\n/);
  });

  test('starts at once install once, the others wait', async () => {
    env['FAKE_NPM'] = 'wait';
    const all = [sluice('print'), sluice('print'), sluice('print')];
    await until('two wait', () => all.filter(({ err }) => err().includes('Waiting')).length === 2);
    await until('npm runs', async () => (await installs()) > 0);
    await writeFile(join(folder, 'go'), '');
    const ends = await Promise.all(all.map(({ ended }) => ended));
    assert.deepEqual(
      ends.map(({ code }) => code),
      [0, 0, 0],
      ends.map(({ err }) => err).join(''),
    );
    assert.equal(await installs(), 1);
  });

  test('after kill -9 of the one that installs, the next waits for its npm, then installs', async () => {
    env['FAKE_NPM'] = 'wait';
    const killed = sluice('print');
    await until('npm runs and is known', async () => (await installs()) === 1 && (await installers()).length === 2);
    killed.child.kill('SIGKILL');
    const next = sluice('print');
    await until('it waits', () => next.err().includes('Waiting'));
    assert.equal(await installs(), 1);
    await writeFile(join(folder, 'go'), '');
    const { code, err } = await next.ended;
    assert.equal(code, 0, err);
    assert.match(err, /^Waiting for process \d+, which installs packages\nInstalling packages /);
    assert.equal(await installs(), 2);
  });

  test('ends with the exit code of the command, or 128 and its signal', async () => {
    assert.equal((await sluice('exit', '7').ended).code, 7);
    assert.equal((await sluice('die', 'SIGKILL').ended).code, 137);
  });

  test('passes a signal on and lives until the command has ended', async () => {
    await sluice('print').ended;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const running = sluice('serve');
      await until('it serves', () => existsSync(join(folder, 'serving')));
      running.child.kill(signal);
      const { code, out } = await running.ended;
      assert.deepEqual([code, out], [5, `${signal}\nended\n`]);
      await rm(join(folder, 'serving'));
    }
  });
});

describe('bin/main.ts', () => {
  const main = (...args: string[]) => start(join(root, 'bin', 'main.ts'), args).ended;

  test('an unknown command is refused with the list of commands', async () => {
    for (const name of ['nope', 'constructor', '__proto__']) {
      const { code, out, err } = await main(name);
      assert.deepEqual([code, out], [2, '']);
      assert.match(err, /^sluice: there is no command ".*"; there are: start, stop, .*verify.*\n$/);
    }
    assert.equal((await main('help', 'nope')).code, 2);
  });

  test('help names every command, help of one only that', async () => {
    const all = await main('--help');
    assert.equal(all.code, 0, all.err);
    for (const name of ['start', 'stop', 'check', 'test', 'registry', 'sources', 'run', 'sinks', 'simulate', 'verify'])
      assert.match(all.out, new RegExp(`^sluice ${name}\\b`, 'm'));
    assert.doesNotMatch(all.out, /cannot be loaded/);
    const one = await main('help', 'check');
    assert.match(one.out, /^sluice check\n/);
    assert.equal((await main('check', '--help')).out, one.out);
  });

  test('a wrong option or missing configuration is said without a stack, exit code 2', async () => {
    const option = await main('run', '--nope');
    assert.deepEqual(
      [option.code, option.err],
      [2, "sluice: Unknown option '--nope'\n  sluice run --help tells what there is\n"],
    );
    const missing = await main('run');
    assert.equal(missing.code, 2);
    assert.match(missing.err, /^sluice: SLUICE_KAFKA is not set \[SLC_CONFIG_MISSING\]\n {2}\S.*\n$/);
  });
});

/** Stands for bin/main.ts. */
const MAIN = `
import { writeFileSync } from 'node:fs';
const [command, value] = process.argv.slice(2);
if (command === 'print') {
  console.log(JSON.stringify({ args: process.argv.slice(2), path: process.env.PATH.split(':')[0] }));
} else if (command === 'exit') process.exit(Number(value));
else if (command === 'die') process.kill(process.pid, value);
else {
  const timer = setInterval(() => {}, 1000);
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {
    console.log(signal);
    clearInterval(timer);
    setTimeout(() => { console.log('ended'); process.exit(5); }, 200);
  });
  writeFileSync(process.env.FAKE_FOLDER + '/serving', '');
}
`;

/** Stands for npm: counts its calls, and links the Node of this test where the package \`node\` has its own. */
const FAKE_NPM = `#!/bin/sh
echo "$*" > "$FAKE_FOLDER/npm-arguments"
echo "$$" >> "$FAKE_FOLDER/installs"
case "$FAKE_NPM" in
  fail) echo "to stdout"; echo "to stderr" >&2; exit 1 ;;
  hang) exec sleep 60 ;;
  wait) while [ ! -e "$FAKE_FOLDER/go" ]; do sleep 0.1; done ;;
esac
echo "noise nobody wants"
mkdir -p node_modules/node/bin
ln -sf "$FAKE_NODE" node_modules/node/bin/node
`;
