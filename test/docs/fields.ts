/** Is every field that a command prints in docs/INSPECT.md? */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './code/blocks.ts';

/** What these hold is not ours to name. */
const OPEN = new Set(['value', 'key', 'headers', 'sourceHeaders', 'to', 'refused']);

/** Fields of the JSON that the section of a command does not name, as `"field"`. */
export function undocumented(command: string, json: unknown): string[] {
  const markdown = readFileSync(join(ROOT, 'docs', 'INSPECT.md'), 'utf8');
  const [, section] = markdown.split(`## sluice ${command}\n`);
  if (section === undefined) throw new Error(`docs/INSPECT.md has no section of ${command}`);
  const text = section.split('\n## ', 1)[0] ?? '';
  return [...fieldsOf(json)].filter((field) => !text.includes(`"${field}"`)).toSorted();
}

function fieldsOf(json: unknown, found = new Set<string>()): Set<string> {
  if (Array.isArray(json)) for (const each of json) fieldsOf(each, found);
  else if (typeof json === 'object' && json !== null) {
    for (const [field, value] of Object.entries(json)) {
      found.add(field);
      if (!OPEN.has(field)) fieldsOf(value, found);
    }
  }
  return found;
}
