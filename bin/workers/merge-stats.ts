import { type StageStats, type StreamApp, sumOfDurations, sumOfRestores, sumOfStores } from '#topology';

/** What one worker tells. */
export type WorkerStats = ReturnType<StreamApp['stats']>;

/** What the workers of an application have done together, as one process would tell it. Stages in the order of the first worker. */
export function mergeStats(all: readonly WorkerStats[]): WorkerStats {
  const names = [...new Set(all.flatMap(({ stages }) => stages.map(({ name }) => name)))];
  return {
    stages: names.map((name) => mergeStage(all.flatMap(({ stages }) => stages.filter((stage) => stage.name === name)))),
    slots: [...new Set(all.flatMap(({ slots }) => slots))].toSorted((a, b) => a - b),
    restored: sum(all, ({ restored }) => restored),
    commits: sum(all, ({ commits }) => commits),
    commitMs: sumOfDurations(all.map(({ commitMs }) => commitMs)),
    restoring: sumOfRestores(all.map(({ restoring }) => restoring)),
    state: sumOfBudgets(all.flatMap(({ state }) => state ?? [])),
    standbys: all.flatMap(({ standbys }) => standbys).toSorted((a, b) => a.slot - b.slot),
    globalTables: mergeGlobalTables(all.flatMap(({ globalTables }) => globalTables)),
    waits: all.flatMap(({ waits }) => waits),
    ready: all.every(({ ready }) => ready),
  };
}

function mergeStage(parts: readonly StageStats[]): StageStats {
  // A worker without a task of the stage knows no watermark, and nobody who holds it back: it has no say.
  const heard = parts.filter(({ watermark, heldBackBy }) => watermark !== null || heldBackBy !== null);
  const unknown = heard.find(({ watermark }) => watermark === null);
  const [least] = heard.toSorted((a, b) => (a.watermark ?? -Infinity) - (b.watermark ?? -Infinity));
  const watermark = unknown === undefined ? (least?.watermark ?? null) : null;
  // Each worker measures from the newest clock that it knows: behind the newest of all the lag is larger.
  const newest = Math.max(
    -Infinity,
    ...heard.flatMap((part) => (part.watermark === null || part.lagMs === null ? [] : part.watermark + part.lagMs)),
  );
  return {
    name: parts[0]?.name ?? '',
    records: sum(parts, ({ records }) => records),
    written: sum(parts, ({ written }) => written),
    late: sum(parts, ({ late }) => late),
    deadLetters: sum(parts, ({ deadLetters }) => deadLetters),
    dropped: sum(parts, ({ dropped }) => dropped),
    stateEntries: sum(parts, ({ stateEntries }) => stateEntries),
    stores: sumOfStores(parts.flatMap(({ stores }) => stores)),
    watermark,
    lagMs: watermark === null || !Number.isFinite(newest) ? null : Math.max(0, newest - watermark),
    heldBackBy: least?.heldBackBy ?? null,
  };
}

/** Each worker has all rows: what the last of them has read counts. */
function mergeGlobalTables(all: WorkerStats['globalTables']): WorkerStats['globalTables'] {
  return [...Map.groupBy(all, ({ store }) => store).values()].flatMap((same) =>
    same.toSorted((a, b) => b.lag - a.lag).slice(0, 1),
  );
}

function sumOfBudgets(all: readonly NonNullable<WorkerStats['state']>[]): WorkerStats['state'] {
  if (all.length === 0) return undefined;
  const usedBytes = sum(all, (state) => state.usedBytes);
  return { usedBytes, budgetBytes: sum(all, (state) => state.budgetBytes) };
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0);
}
