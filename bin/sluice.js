#!/usr/bin/env node
// The one file that runs on any Node >= 18: installs what is missing, then runs Sluice under the Node of the package `node`.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const lockFile = join(root, 'package-lock.json');
const stampFile = join(modules, '.sluice-lock');
const busyFile = join(root, '.sluice', 'installing');
const INSTALL_WAIT_MS = 10 * 60_000;

main().catch((error) => {
  process.stderr.write(`sluice: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});

async function main() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 18)
    throw new Error(
      `Node ${process.versions.node} is too old to begin with: 18 or newer is needed (Sluice brings its own for the rest)`,
    );
  if (!installed()) await install();
  await run();
}

/** The hash is written last: an install that was interrupted counts as none. */
function installed() {
  return (
    existsSync(stampFile) &&
    readFileSync(stampFile, 'utf8') === wanted() &&
    existsSync(join(modules, 'node', 'package.json'))
  );
}

function wanted() {
  return createHash('sha256').update(readFileSync(lockFile)).digest('hex');
}

async function install() {
  const mine = await lock();
  if (!mine) return;
  const started = Date.now();
  process.stderr.write('sluice: installing packages ...\n');
  try {
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    const result = spawnSync(npm, ['ci', '--no-fund', '--no-audit', '--loglevel=error', '--prefer-offline'], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 64 * 1_024 * 1_024,
      env: { ...process.env, npm_config_ignore_scripts: 'false', NODE_ENV: undefined },
    });
    if (result.error) throw new Error(`npm cannot be started: ${result.error.message}`);
    if (result.status !== 0) throw new Error(`npm ci failed:\n${result.stdout}${result.stderr}`);
    writeFileSync(stampFile, wanted());
    process.stderr.write(`sluice: packages installed in ${((Date.now() - started) / 1_000).toFixed(1)} s\n`);
  } finally {
    rmSync(busyFile, { force: true });
  }
}

/** One installs, others wait for it. False when another one has done it meanwhile. */
async function lock() {
  mkdirSync(dirname(busyFile), { recursive: true });
  const until = Date.now() + INSTALL_WAIT_MS;
  let told = false;
  while (Date.now() < until) {
    try {
      const file = openSync(busyFile, 'wx');
      writeSync(file, String(process.pid));
      closeSync(file);
      if (!installed()) return true;
      rmSync(busyFile, { force: true });
      return false;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (abandoned()) rmSync(busyFile, { force: true });
    else {
      if (!told) process.stderr.write('sluice: waiting for another process that installs packages\n');
      told = true;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  throw new Error(`another process has been installing for too long; if there is none, remove ${busyFile}`);
}

function abandoned() {
  try {
    const pid = Number(readFileSync(busyFile, 'utf8'));
    // Between the making of the file and the writing of the pid it is empty.
    if (!pid) return Date.now() - statSync(busyFile).mtimeMs > 5_000;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

async function run() {
  const { bin } = JSON.parse(readFileSync(join(modules, 'node', 'package.json'), 'utf8'));
  const node = join(modules, 'node', typeof bin === 'string' ? bin : bin.node);
  const child = spawn(
    node,
    ['--disable-warning=ExperimentalWarning', join(root, 'bin', 'main.ts'), ...process.argv.slice(2)],
    {
      stdio: 'inherit',
      env: {
        ...process.env,
        PATH: `${dirname(node)}${process.platform === 'win32' ? ';' : ':'}${process.env.PATH ?? ''}`,
      },
    },
  );
  // Ctrl-C reaches the child by the terminal; a signal to this process alone is passed on. Either way the child decides when it is over.
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  process.on('SIGINT', () => {
    if (!process.stdin.isTTY) child.kill('SIGINT');
  });
  child.on('error', (error) => {
    process.stderr.write(`sluice: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 1)));
}
