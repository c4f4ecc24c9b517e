/** What `sluice erase` says, as lines for people and as JSON for programs (docs/ERASURE.md). */
import { bytesText, countText, iso, type Paint, textTable, timeText } from '../inspect/text-table.ts';
import type { Erased, Holdings, KeptRows, Retention } from './erase.ts';
import type { Counts, Erasure } from './erasures.ts';

const COLUMNS = [{ title: 'WHERE' }, { title: 'WHAT' }, { title: 'COUNT', right: true }, { title: '' }] as const;
const DAY = 86_400_000;

/** As documented in docs/ERASURE.md. Without `erased` nothing was. */
export function erasureJson(userId: string, holdings: Holdings, erased: Erased | undefined): Record<string, unknown> {
  const { hash, kept, openSessions, isInShop, replays } = holdings;
  const { topics, stores, tables } = erased ?? holdings;
  return {
    user: userId,
    hash,
    erased: erased !== undefined,
    complete: erased?.isComplete ?? false,
    topics: listOf(topics).map(([topic, keys]) => ({ topic, keys })),
    tables: tables === undefined ? null : listOf(tables).map(([table, rows]) => ({ table, rows })),
    stores: listOf(stores).map(([store, entries]) => ({ store, entries })),
    kept: kept.map(({ topic, records, retention }) => ({
      topic,
      records,
      retentionMs: retention.ms,
      retentionBytes: retention.bytes,
    })),
    openSessions,
    inShop: isInShop,
    replays,
  };
}

/** What there is, or what was erased; then what stays, and why. */
export function erasureLines(holdings: Holdings, erased: Erased | undefined, paint: Paint): string[] {
  const { topics, stores, tables } = erased ?? holdings;
  const verdict = erased === undefined ? 'would be erased' : 'erased';
  const lines = textTable(
    COLUMNS,
    [
      ...listOf(topics).map(([name, count]) => [name, 'keys', countText(count), verdict]),
      ...listOf(tables ?? {}).map(([name, count]) => [`PostgreSQL ${name}`, 'rows', countText(count), verdict]),
      ...listOf(stores).map(([name, count]) => [`state ${name}`, 'entries', countText(count), verdict]),
      ...holdings.kept.map((each) => keptCells(each, paint)),
    ],
    paint,
  );
  return [...lines, ...notes(holdings, paint)];
}

/** `sluice erase list`. */
export function erasureListJson(erasures: readonly Erasure[]): Record<string, unknown> {
  return {
    erasures: erasures.map(({ hash, begunAt, at, isDone, topics, stores, tables }) => ({
      hash,
      begun: iso(begunAt),
      at: iso(at),
      done: isDone,
      keys: sumOf(topics),
      entries: sumOf(stores),
      rows: sumOf(tables),
    })),
  };
}

export function erasureListLines(erasures: readonly Erasure[], paint: Paint): string[] {
  if (erasures.length === 0) return ['nobody was erased'];
  const columns = [
    { title: 'HASH' },
    { title: 'BEGUN' },
    { title: 'LAST' },
    { title: 'KEYS', right: true },
    { title: 'ROWS', right: true },
    { title: 'STATE', right: true },
    { title: '' },
  ];
  const rows = erasures.map(({ hash, begunAt, at, isDone, topics, stores, tables }) => [
    hash,
    timeText(begunAt),
    timeText(at),
    countText(sumOf(topics)),
    countText(sumOf(tables)),
    countText(sumOf(stores)),
    isDone ? 'done' : paint.yellow('not finished: run it again'),
  ]);
  return textTable(columns, rows, paint);
}

function keptCells({ topic, records, retention }: KeptRows, paint: Paint): string[] {
  const stays = records === 0 ? 'none' : paint.yellow(`bytes stay: Kafka keeps them ${retentionText(retention)}`);
  return [topic, 'records', countText(records), stays];
}

function retentionText({ ms, bytes }: Retention): string {
  const time = ms === null ? 'for a time that it does not tell' : ms < 0 ? 'whatever its age' : `for ${spanText(ms)}`;
  if (bytes === null) return time;
  return `${time}, ${bytes < 0 ? 'whatever its size' : `up to ${bytesText(bytes)} per partition`}`;
}

const spanText = (ms: number): string => (ms >= DAY ? `${Math.round(ms / DAY)} d` : `${Math.round(ms / 1_000)} s`);

function notes({ tables, openSessions, isInShop, replays }: Holdings, paint: Paint): string[] {
  const texts = [
    ...(tables === undefined ? ['PostgreSQL was not looked at: SLUICE_POSTGRES is not set'] : []),
    ...(isInShop
      ? [
          'the shop still has this user: what he does, and each change of his row, makes new rows. Delete him there first',
        ]
      : []),
    ...(openSessions > 0
      ? [
          `${openSessions} of his sessions ${openSessions === 1 ? 'is' : 'are'} open: rows follow when they end. Run this again in 40 minutes`,
        ]
      : []),
    ...(replays.length > 0 ? [`replays hold copies: ${replays.join(', ')} (sluice replay --drop removes one)`] : []),
  ];
  return [
    ...texts.map((text) => paint.yellow(`! ${text}`)),
    paint.dim(
      'Not touched: bronze, the lake, PostHog, late records, dead letters. Kafka removes old values when it compacts (docs/ERASURE.md)',
    ),
  ];
}

const listOf = (counts: Counts): [string, number][] => Object.entries(counts);
const sumOf = (counts: Counts): number => Object.values(counts).reduce((sum, count) => sum + count, 0);
