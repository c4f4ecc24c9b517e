/** Dead letters as lines for people and as JSON for programs. */
import { SOURCE_HEADER_PREFIX } from '#topology';
import { type Letter, type LetterCount, placeOf, sourceHeaders } from './letters.ts';
import type { RetryRefusal, RetryResult } from './retry.ts';
import { type ByteViewer, type Shown, showHeaders } from './show-bytes.ts';
import { countText, iso, type Paint, textTable, timeText } from './text-table.ts';

const WHY: Readonly<Record<RetryRefusal, string>> = {
  'no-source':
    'have no place in a topic: they came over HTTP (send them to the collector again), or were made in a stage (replay it)',
  'derived-source':
    'come from a topic that a stage writes and another reads, where only the writer may write: replay the stage',
  'other-readers': 'come from a topic that other stages read, too, and would process again: --also-others sends them',
};

/** As documented in docs/INSPECT.md. */
export function countJson(count: LetterCount): Record<string, unknown> {
  return { ...count, oldest: iso(count.oldest), newest: iso(count.newest) };
}

export function countLines(counts: readonly LetterCount[], paint: Paint): string[] {
  if (counts.length === 0) return ['no dead letters'];
  const columns = [
    { title: 'STAGE' },
    { title: 'CODE' },
    { title: 'LETTERS', right: true },
    { title: 'RETRIED', right: true },
    { title: 'NEWEST' },
    { title: 'ITS PLACE' },
    { title: 'ITS REASON' },
  ];
  const rows = counts.map((each) => [
    each.stage,
    paint.yellow(each.code),
    countText(each.count),
    each.retriable === 0 ? '-' : countText(each.retried),
    timeText(each.newest),
    each.example,
    short(each.reason),
  ]);
  return textTable(columns, rows, paint);
}

/** A letter with its record made readable. */
export interface ShownLetter {
  readonly letter: Letter;
  readonly key: Shown;
  readonly value: Shown;
  readonly retried: boolean;
}

/** `formats`: whether keys and values of a topic are Avro. Throws NotReadyError. */
export function showLetter(
  letter: Letter,
  retried: boolean,
  viewer: ByteViewer,
  formats: (topic: string) => { readonly avro: boolean; readonly avroKey: boolean },
): ShownLetter {
  const { avro, avroKey } = formats(letter.source?.topic ?? '');
  const key = viewer.show(letter.key, avroKey ? 'must' : 'may');
  return { letter, key, value: viewer.show(letter.value, avro ? 'must' : 'may'), retried };
}

/** As documented in docs/INSPECT.md. */
export function letterJson({ letter, key, value, retried }: ShownLetter): Record<string, unknown> {
  const { topic, partition, offset, timestamp, stage, code, reason, source } = letter;
  return {
    topic,
    partition,
    offset: Number(offset),
    timestamp: iso(timestamp) ?? timestamp,
    stage,
    code,
    reason,
    source: source === undefined ? null : { ...source, offset: Number(source.offset) },
    retried,
    key: key.value,
    keyForm: key.form,
    keyHex: letter.key?.toString('hex') ?? null,
    value: value.value,
    valueForm: value.form,
    valueHex: letter.value?.toString('hex') ?? null,
    problem: key.problem ?? value.problem ?? null,
    headers: showHeaders(letter.headers.filter(isOwn), []),
    sourceHeaders: showHeaders(sourceHeaders(letter), []),
  };
}

export function letterLines({ letter, key, value, retried }: ShownLetter, paint: Paint): string[] {
  const { code, stage, reason, source, timestamp } = letter;
  const from = source === undefined ? 'no topic' : `${source.topic}-${source.partition}@${source.offset}`;
  const stack = letter.headers.find(([name]) => name === 'stack')?.[1]?.toString('utf8') ?? '';
  const lines = [
    `${paint.bold(placeOf(letter))}  ${paint.yellow(code)}  ${reason}`,
    `  put aside by ${stage}, from ${from}, event time ${timeText(timestamp)}${retried ? ', retried' : ''}`,
    ...part('key', key, letter.key),
    ...part('value', value, letter.value),
  ];
  for (const [name, content] of Object.entries(showHeaders(sourceHeaders(letter), []))) {
    lines.push(`  header ${name}: ${typeof content === 'string' ? content : JSON.stringify(content)}`);
  }
  return [...lines, ...stack.split('\n').flatMap((line) => (line === '' ? [] : [paint.dim(`  | ${line}`)]))];
}

function part(name: string, shown: Shown, bytes: Buffer | null): string[] {
  if (bytes === null) return [`  ${name}: none`];
  const hex = `  ${name} (${bytes.length} bytes): ${bytes.toString('hex')}`;
  if (shown.form === 'hex') return [hex, `  ${name} cannot be read: ${shown.problem ?? ''}`];
  const text = typeof shown.value === 'string' ? shown.value : JSON.stringify(shown.value);
  return [`  ${name} as ${shown.form}: ${text}`, hex];
}

/** As documented in docs/INSPECT.md. */
export function retryJson(result: RetryResult, dryRun: boolean): Record<string, unknown> {
  return {
    dryRun,
    complete: result.complete,
    sent: result.sent,
    to: Object.fromEntries(result.bySource),
    refused: Object.fromEntries(result.refused),
  };
}

export function retryLines(result: RetryResult, dryRun: boolean, paint: Paint): string[] {
  const to = [...result.bySource].map(([topic, count]) => `${countText(count)} to ${topic}`);
  const verb = dryRun ? 'would be sent back' : 'sent back';
  const lines = [`${paint.bold(countText(result.sent))} ${verb}${to.length === 0 ? '' : `: ${to.join(', ')}`}`];
  for (const [refusal, { count, examples }] of result.refused) {
    lines.push(paint.yellow(`${countText(count)} not: they ${WHY[refusal]} (${examples.join(', ')})`));
  }
  return lines;
}

const isOwn = ([name]: readonly [string, unknown]): boolean => !name.startsWith(SOURCE_HEADER_PREFIX);

function short(text: string): string {
  const [line = ''] = text.split('\n');
  return line.length > 100 ? `${line.slice(0, 99)}…` : line;
}
