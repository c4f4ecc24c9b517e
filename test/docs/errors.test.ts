/** docs/ERRORS.md has a heading for every code that the code uses, and no other. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

const ROOT = join(import.meta.dirname, '../..');
const FOLDERS = ['bin', 'connectors', 'dashboard', 'dev', 'processors', 'simulators', 'topology'];

/** Codes that appear as a whole string: SLC_BUG, or SLC_<area>_<what>. Mere prefixes of codes ('SLC_CDC') are no code. */
function codesIn(text: string): string[] {
  return [...text.matchAll(/['"`](SLC_BUG|SLC_[A-Z0-9]+_[A-Z0-9_]*[A-Z0-9])['"`]/g)].flatMap((match) => match[1] ?? []);
}

function headingsIn(markdown: string): string[] {
  return [...markdown.matchAll(/^## (\S+)$/gm)].flatMap((match) => match[1] ?? []);
}

/** [codes without a heading, headings without a code]. */
function differences(codes: readonly string[], headings: readonly string[]): [string[], string[]] {
  const without = (these: readonly string[], those: readonly string[]): string[] =>
    [...new Set(these)].filter((each) => !those.includes(each)).toSorted();
  return [without(codes, headings), without(headings, codes)];
}

const code = FOLDERS.filter((folder) => existsSync(join(ROOT, folder))).flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|js)$/.test(entry.name))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8')),
);
const markdown = readFileSync(join(ROOT, 'docs/ERRORS.md'), 'utf8');

describe('docs/ERRORS.md', () => {
  test('explains every code, and no other', () => {
    const codes = code.flatMap(codesIn);
    assert.ok(new Set(codes).size > 80, 'codes are not recognised');
    assert.deepEqual(differences(codes, headingsIn(markdown)), [[], []]);
  });

  test('is sorted, with something under every heading', () => {
    const headings = headingsIn(markdown);
    assert.deepEqual(headings, headings.toSorted());
    assert.doesNotMatch(markdown, /^## \S+\n+(?=## |$(?![\s\S]))/m);
  });

  test('both kinds of difference are found', () => {
    const codes = codesIn(
      `throw new RecordError('SLC_RECORD_A', 'x'); code.startsWith('SLC_CDC'); \`SLC_RECORD_\${x}\``,
    );
    assert.deepEqual(codes, ['SLC_RECORD_A']);
    assert.deepEqual(differences(codes, headingsIn('# E\n\n## SLC_RECORD_B\n\nText.\n')), [
      ['SLC_RECORD_A'],
      ['SLC_RECORD_B'],
    ]);
  });
});
