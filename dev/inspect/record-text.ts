/** A record as lines for people and as JSON for programs. */
import type { InspectedRecord } from './inspect-topic.ts';
import type { Shown } from './show-bytes.ts';
import { iso, type Paint, timeText } from './text-table.ts';

/** As documented in docs/INSPECT.md: one object, one line. */
export function recordJson(record: InspectedRecord): Record<string, unknown> {
  const { topic, partition, offset, timestamp, key, value, headers } = record;
  return {
    topic,
    partition,
    offset,
    timestamp: iso(timestamp) ?? timestamp,
    key: key.value,
    keyForm: key.form,
    value: value.value,
    valueForm: value.form,
    schemaId: value.schemaId ?? null,
    headers,
    problem: key.problem ?? value.problem ?? null,
  };
}

/** Time, place, key and value on one line; headers and what is wrong below it. */
export function recordLines(record: InspectedRecord, paint: Paint): string[] {
  const { topic, partition, offset, timestamp, key, value, headers } = record;
  const place = paint.dim(`${topic}-${partition}@${offset}`);
  const what = value.form === 'none' ? paint.yellow('tombstone') : contentText(value);
  const lines = [`${timeText(timestamp)}  ${place}  ${paint.bold(contentText(key))}  ${what}`];
  for (const [name, content] of Object.entries(headers)) {
    lines.push(paint.dim(`    ${name}: ${typeof content === 'string' ? content : JSON.stringify(content)}`));
  }
  for (const problem of [key.problem, value.problem]) {
    if (problem !== undefined) lines.push(paint.red(`    cannot be read: ${problem}`));
  }
  return lines;
}

function contentText({ form, value }: Shown): string {
  if (form === 'none') return '-';
  if (form === 'hex') return `0x${String(value)}`;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
