/** Our schema registry as a part: the role `sluice registry`, without IPC, so that it outlives its starter as the servers do. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Part, PartContext, RunningPart } from '../parts/part.ts';
import { accepts, freePort } from '../parts/ports.ts';
import { endProcess, identityOf, isAlive, type ProcessId } from '../parts/identity.ts';
import { lastLines, logSize } from './log-rotation.ts';

const START_MS = 60_000;
const ATTEMPTS = 3;
const POLL_MS = 50;
const REQUEST_MS = 2_000;
const RETRY_MS = 1_000;

/** `command`: program and arguments of the role. `kafka`: host:port. */
export function registryPart(command: readonly [string, ...string[]], kafka: string): Part {
  return {
    name: 'registry',
    missing: () => Promise.resolve(undefined),
    start: (context) => start(command, kafka, context),
    adopt: async (context, id) => {
      const port = context.ports['http'];
      if (port === undefined || !(await answers(port))) return undefined;
      return running(id, port);
    },
    removeData: (dataDir) => rm(dataDir, { recursive: true, force: true }),
  };
}

/** A port that was free may be somebody else's when the registry listens: then another one is taken. */
async function start(
  command: readonly [string, ...string[]],
  kafka: string,
  context: PartContext,
): Promise<RunningPart> {
  await kafkaThere(kafka, context);
  context.progress('the schema registry starts');
  for (let attempt = 1; ; attempt++) {
    const port = await freePort(attempt === 1 ? context.ports['http'] : undefined);
    const started = await startAt(port, command, kafka, context);
    if (started !== 'port taken') return started;
    if (attempt === ATTEMPTS) throw failure('the schema registry finds no free port', context, 0);
  }
}

async function startAt(
  port: number,
  [program, ...args]: readonly [string, ...string[]],
  kafka: string,
  context: PartContext,
): Promise<RunningPart | 'port taken'> {
  mkdirSync(dirname(context.logFile), { recursive: true });
  const logStart = logSize(context.logFile);
  const log = openSync(context.logFile, 'a');
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, SLUICE_KAFKA: kafka, SLUICE_REGISTRY_PORT: String(port) },
  });
  closeSync(log);
  child.on('error', () => undefined);
  child.unref();
  const id = identityOf(child.pid ?? 0);
  context.started?.(id, { http: port });
  const deadline = Date.now() + START_MS;
  for (;;) {
    if (!isAlive(id)) {
      if (await accepts(port, REQUEST_MS)) return 'port taken';
      throw failure('the schema registry has ended', context, logStart);
    }
    if (await answers(port)) return running(id, port);
    if (context.signal.aborted || Date.now() > deadline) {
      await endProcess(id, 'SIGTERM', REQUEST_MS);
      throw failure('the schema registry does not answer', context, logStart);
    }
    await sleep(POLL_MS);
  }
}

/** A broker that was given may come later: the registry's own time to start begins when somebody listens there. */
async function kafkaThere(kafka: string, { progress, signal }: PartContext): Promise<void> {
  const brokers = kafka.split(',').map((broker) => new URL(`kafka://${broker.trim()}`));
  for (;;) {
    const answers = brokers.map(({ hostname, port }) => accepts(Number(port), REQUEST_MS, hostname));
    if ((await Promise.all(answers)).includes(true)) return;
    progress(`waits for Kafka: nobody listens at ${kafka}`);
    await sleep(RETRY_MS, undefined, { signal });
  }
}

function failure(what: string, { logFile }: PartContext, logStart: number): Error {
  return new Error([`${what}. Last lines of ${logFile}:`, ...lastLines(logFile, 20, logStart)].join('\n  | '));
}

function running(id: ProcessId, port: number): RunningPart {
  return {
    ...id,
    name: 'registry',
    address: `http://127.0.0.1:${port}`,
    ports: { http: port },
    stop: (timeoutMs) => endProcess(id, 'SIGTERM', timeoutMs),
  };
}

async function answers(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/subjects`, { signal: AbortSignal.timeout(REQUEST_MS) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
