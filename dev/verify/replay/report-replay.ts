/** What came of comparing a replay with live, for people. */
import type { TopicVerdict } from './verify-replay.ts';

const HEAD = ['topic', 'kind', 'live', 'replay', 'missing', 'extra', 'different', 'beyond', 'before', ''];

/** One line per topic, then the bounds, then what is wrong, each row by its name and place. */
export function reportReplay(verdicts: readonly TopicVerdict[]): string {
  const lines = verdicts.map(({ topic, kind, equal, comparison, erased }) => {
    const counts = comparison && [
      comparison.rows,
      comparison.replayRows,
      comparison.missing,
      comparison.extra,
      comparison.differing,
      comparison.beyond,
      comparison.before,
    ];
    const cells = counts?.map((n) => n.toLocaleString('en')) ?? Array.from({ length: 7 }, () => '-');
    const verdict = equal === undefined ? 'not compared' : equal ? 'equal' : 'WRONG';
    const left = erased === undefined ? '' : `, ${erased} of erased users left out`;
    return [topic, kind, ...cells, `${verdict}${left}`];
  });
  const widths = HEAD.map((head, i) => Math.max(head.length, ...lines.map((line) => line[i]?.length ?? 0)));
  const table = [HEAD, ...lines].map((line) =>
    line
      .map((cell, i) => (i >= 2 && i <= 8 ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  return [...table, ...verdicts.flatMap(bounds), ...verdicts.flatMap(reasons)].join('\n');
}

/** Of stages only: their late records and dead letters share them. */
function bounds({ topic, kind, lower, upper }: TopicVerdict): string[] {
  if (kind === 'late' || kind === 'dead letters') return [];
  const to = upper === 'all' ? 'all of it: live stands where the replay ended' : `complete before ${instant(upper)}`;
  return [`${topic}: ${to}${lower === -Infinity ? '' : `; what begins after ${instant(lower)}`}`];
}

function reasons({ topic, replayTopic, notCompared, comparison }: TopicVerdict): string[] {
  if (notCompared !== undefined) return ['', `${topic} was not compared: ${notCompared}`];
  return (comparison?.wrong ?? []).flatMap(({ what, identity, live, replay, columns = [] }) => {
    const places = [live && `${topic} ${live}`, replay && `${replayTopic} ${replay}`].filter(Boolean).join(', ');
    return [
      `${topic}: ${what} ${identity} (${places})`,
      ...columns.map((each) => `  ${each.column}: ${textOf(each.live)} -> ${textOf(each.replay)}`),
    ];
  });
}

const textOf = (value: unknown): string => JSON.stringify(value) ?? 'none';

const instant = (ms: number): string => (Number.isFinite(ms) ? new Date(ms).toISOString() : 'nothing');
