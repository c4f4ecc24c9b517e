/** docs/SEMANTICS.md is the specification: each promise names a test, and the test is there. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

const ROOT = join(import.meta.dirname, '../..');
const textOf = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

interface Held {
  readonly promise: string;
  readonly file: string;
  readonly title: string;
}

/** The rows of the table of promises. */
function heldIn(markdown: string): Held[] {
  const [, table = ''] = markdown.split('## Which test holds what');
  return [...table.matchAll(/^\| (.+) \| `(test\/[^`]+)` \| (.+) \|$/gm)].map(
    ([, promise = '', file = '', title = '']) => ({ promise, file, title }),
  );
}

/** A test or a suite of that title: the text after test( or describe( up to the end of its quotes, what is put into templates aside. */
function hasTitle(source: string, title: string): boolean {
  const titles = [...source.matchAll(/\b(?:test|describe)\(\s*(['"`])((?:\\.|(?!\1).)+)\1/gs)].map(
    ([, , text = '']) => text,
  );
  return titles.some((text) => text.replaceAll('\\', '').includes(title));
}

/** Paths below test/ in backticks, {a,b} spelled out. */
function pathsIn(markdown: string): string[] {
  return [...markdown.matchAll(/`(test\/[^`\s]+)`/g)].flatMap(([, path = '']) => {
    const [, head = '', list = '', tail = ''] = /^(.*)\{(.+)\}(.*)$/.exec(path) ?? [];
    return list === '' ? [path] : list.split(',').map((each) => `${head}${each}${tail}`);
  });
}

describe('docs/SEMANTICS.md', () => {
  const held = heldIn(textOf('docs/SEMANTICS.md'));

  test('names a test for its promises', () => assert.ok(held.length > 40, `${held.length} promises`));

  for (const { promise, file, title } of held) {
    test(`${promise}: the test is there`, () => {
      assert.ok(existsSync(join(ROOT, file)), `${file} is not there`);
      assert.ok(hasTitle(textOf(file), title), `${file} has no test "${title}"`);
    });
  }

  for (const file of ['docs/SEMANTICS.md', 'docs/TIME.md']) {
    test(`${file}: every file that it names is there`, () => {
      const gone = pathsIn(textOf(file)).filter((path) => !existsSync(join(ROOT, path)));
      assert.deepEqual(gone, []);
    });
  }

  test('a test that is not there is found out', () => {
    const source = "describe('suite', () => { test(`the ${what} one`, () => { assert.ok('only said'); }); });";
    assert.deepEqual(
      ['suite', 'the ', ' one', 'only said'].map((title) => hasTitle(source, title)),
      [true, true, true, false],
    );
    assert.deepEqual(heldIn('## Which test holds what\n| a | `test/x.test.ts` | t |\n| b | c | d |'), [
      { promise: 'a', file: 'test/x.test.ts', title: 't' },
    ]);
  });
});
