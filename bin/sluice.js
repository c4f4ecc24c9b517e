#!/usr/bin/env node
// The one file that runs on any Node >= 18: installs what is missing, then runs Sluice under the Node of the package `node`.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants, homedir, uptime } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const stampFile = join(modules, '.sluice-lock');
const installers = join(root, '.sluice', 'installing');

const MIN_NODE = 18;
const INSTALL_WAIT_MS = 10 * 60_000;
const OUTPUT_CHARS = 20_000;
const INTERRUPTED = 130;
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];

main().catch((error) => {
  process.stderr.write(`sluice: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});

async function main() {
  if (Number(process.versions.node.split('.')[0]) < MIN_NODE) {
    throw new Error(
      `Node ${process.versions.node} is too old to begin with: ${MIN_NODE} or newer is needed (Sluice brings its own for the rest)`,
    );
  }
  const code = installed() ? 0 : await oneInstalls();
  process.exit(code === 0 ? await run() : code);
}

/** The hash is written last: an install that was interrupted counts as none. */
function installed() {
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted() && existsSync(nodeFile());
}

function wanted() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

function nodeFile() {
  return join(modules, 'node', 'bin', 'node');
}

/** Returns what this process ends with: not 0 when it was told to end. */
async function install() {
  const hash = wanted();
  const started = Date.now();
  process.stderr.write('Installing packages ...');
  // Otherwise a broken install of the same lock file would pass for a whole one.
  rmSync(stampFile, { force: true });
  // Scripts and development packages are needed whatever the user's npm leaves out elsewhere: one links Node, `npm test` needs the others.
  const flags = ['--include=dev', '--ignore-scripts=false', '--no-fund', '--no-audit', '--loglevel=error'];
  let npmFile = '';
  let output = '';
  const { code, interrupted } = await runToEnd(() => {
    const child = spawn('npm', ['ci', '--prefer-offline', ...flags], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    // npm outlives a launcher that is killed: the next one waits for it.
    npmFile = join(installers, String(child.pid));
    if (child.pid !== undefined) writeFileSync(npmFile, '');
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (output = (output + text).slice(-OUTPUT_CHARS)));
    }
    return child;
  })
    .catch((error) => {
      process.stderr.write('\n');
      throw new Error(`npm cannot be started: ${error.message}`);
    })
    .finally(() => rmSync(npmFile, { force: true }));
  process.stderr.write(` ${((Date.now() - started) / 1_000).toFixed(1)} s\n`);
  if (interrupted) return code === 0 ? INTERRUPTED : code;
  if (code !== 0) throw new Error(`npm ci failed:\n${output.trim()}`);
  if (!existsSync(nodeFile())) throw new Error(`npm ci has brought no ${nodeFile()}; its output:\n${output.trim()}`);
  writeFileSync(stampFile, hash);
  return 0;
}

/**
 * One process installs, others wait for it. Each that wants to puts a file with its pid in a folder and goes on only if no other
 * living one is there; so no file must ever be taken over, only those of the dead removed.
 */
async function oneInstalls() {
  mkdirSync(installers, { recursive: true });
  const mine = join(installers, String(process.pid));
  const until = Date.now() + INSTALL_WAIT_MS;
  let told = false;
  while (Date.now() < until) {
    writeFileSync(mine, '');
    const other = otherInstaller();
    try {
      if (other === undefined) return installed() ? 0 : await install();
    } finally {
      rmSync(mine, { force: true });
    }
    if (!told) process.stderr.write(`Waiting for process ${other}, which installs packages\n`);
    told = true;
    // Two that see each other both step back, for times of different length.
    await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 200));
    if (installed()) return 0;
  }
  throw new Error(`another process has been installing for too long; if there is none, remove ${installers}`);
}

function otherInstaller() {
  return readdirSync(installers)
    .map(Number)
    .find((pid) => pid !== process.pid && isInstalling(pid));
}

function isInstalling(pid) {
  const file = join(installers, String(pid));
  try {
    const bornBefore = Date.now() - uptime() * 1_000;
    if (statSync(file).mtimeMs >= bornBefore) {
      process.kill(pid, 0);
      return true;
    }
  } catch (error) {
    if (error.code === 'EPERM') return true;
  }
  rmSync(file, { force: true });
  return false;
}

async function run() {
  // As NODE_FLAGS of dev/supervisor/local-run.ts.
  const flags = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=16'];
  const args = [...flags, join(root, 'bin', 'main.ts'), ...process.argv.slice(2)];
  const path = [dirname(nodeFile()), process.env.PATH].filter(Boolean).join(delimiter);
  // Each role is a process that loads the same modules: half of its start is stripping types and compiling, once per change of a file.
  const compiled = process.env.NODE_COMPILE_CACHE || join(cacheHome(), 'sluice', 'compiled');
  const options = { stdio: 'inherit', env: { ...process.env, PATH: path, NODE_COMPILE_CACHE: compiled } };
  const { code } = await runToEnd(() => spawn(nodeFile(), args, options));
  return code;
}

function cacheHome() {
  return process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
}

/**
 * Starts a child and waits for its end, however often this process is told to end: the child decides when it is over. A terminal tells the child
 * too; that the two are one is for the child to see (bin/main.ts).
 */
function runToEnd(start) {
  return new Promise((resolve, reject) => {
    let interrupted = false;
    // Before the child is there: else a signal that comes as soon as it runs would end this process and leave the child.
    const forward = (signal) => {
      interrupted = true;
      child.kill(signal);
    };
    for (const signal of FORWARDED) process.on(signal, forward);
    const child = start();
    const end = () => {
      for (const signal of FORWARDED) process.removeListener(signal, forward);
    };
    child.once('error', (error) => {
      end();
      reject(error);
    });
    child.once('close', (code, signal) => {
      end();
      resolve({ code: code ?? 128 + constants.signals[signal], interrupted });
    });
  });
}
