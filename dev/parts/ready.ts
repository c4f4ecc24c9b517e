import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '#topology';
import type { PartContext, PartName, ProcessId, RunningPart } from './part.ts';
import { isAlive } from './identity.ts';
import { lastLines, type ServerProcess, stopGroup } from './process.ts';

const POLL_MS = 50;
const LAST_LINES = 20;
const GIVEN_UP_MS = 2_000;

/** A server, however it was found, and how to see that it answers. */
export interface Answering {
  readonly name: PartName;
  readonly address: string;
  readonly ports: Readonly<Record<string, number>>;
  /** How it is asked to end. Default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
  /** A server that does not answer by then has failed. */
  readonly timeoutMs: number;
  /** True when it answers a request. Must not take longer than a few seconds. */
  readonly answers: () => Promise<boolean>;
}

/** Waits until a server that was just started answers. When it ends, is given up or takes too long, it is ended: ConfigError SLC_PART_START. */
export async function untilReady(
  server: ServerProcess,
  context: PartContext,
  answering: Answering,
): Promise<RunningPart> {
  context.started?.({ pid: server.pid, startTime: server.startTime }, answering.ports);
  try {
    return await wait(server, context, answering, server.logStart);
  } catch (error) {
    await stopGroup(server, GIVEN_UP_MS, answering.stopSignal);
    throw error;
  }
}

/** The same for a server of an earlier start, which is left as it is when it does not answer. Undefined when it has ended. */
export async function adopted(
  id: ProcessId,
  context: PartContext,
  answering: Answering,
): Promise<RunningPart | undefined> {
  return isAlive(id) ? await wait(id, context, answering) : undefined;
}

async function wait(
  server: ProcessId & Partial<ServerProcess>,
  context: PartContext,
  { name, address, ports, stopSignal, timeoutMs, answers }: Answering,
  logStart?: number,
): Promise<RunningPart> {
  let exit: string | undefined;
  void server.exited?.then((how) => (exit = how));
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (context.signal.aborted) throw await startFailure(name, context, `the start of ${name} was given up`, logStart);
    const alive = isAlive(server);
    // Asked only while it runs: something else may answer on that port afterwards.
    if (alive && (await answers())) break;
    if (!alive) {
      // The exit is told a moment after the process is gone.
      await sleep(POLL_MS);
      throw await startFailure(name, context, `${name} has ended at its start (${exit ?? 'unknown why'})`, logStart);
    }
    if (performance.now() > deadline)
      throw await startFailure(name, context, `${name} does not answer after ${timeoutMs / 1_000} s`, logStart);
    await sleep(POLL_MS);
  }
  const { pid, startTime } = server;
  return {
    name,
    address,
    ports,
    pid,
    startTime,
    stop: (timeoutMs) => stopGroup({ pid, startTime }, timeoutMs, stopSignal),
  };
}

/** ConfigError SLC_PART_START with the last lines that the server wrote. */
export async function startFailure(
  name: PartName,
  { logFile }: Pick<PartContext, 'logFile'>,
  message: string,
  logStart = 0,
): Promise<ConfigError> {
  const lines = await lastLines(logFile, LAST_LINES, logStart);
  const log = lines.length === 0 ? [`Nothing is in ${logFile}.`] : [`Last lines of ${logFile}:`, ...lines];
  return new ConfigError('SLC_PART_START', [message, ...log].join('\n  '), {
    where: name,
    hint: `all of it is in ${logFile}; npm run clean starts with empty data`,
  });
}
