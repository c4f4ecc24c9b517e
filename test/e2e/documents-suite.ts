/**
 * The commands of the documents, run as they stand there, in their order, on a real run; what they print is what the documents show. inspect.e2e.test.ts has
 * the run.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { after, before, test } from 'node:test';
import { allBlocks, type Block, ROOT } from '../docs/code/blocks.ts';
import { missingLines } from '../docs/code/output.ts';
import { commandsIn } from '../docs/code/shell.ts';
import { Workspace } from '../docs/code/workspace.ts';
import type { Installation } from './installation.ts';

const DEADLINE_MS = 120_000;

/** What is not run here, and what tries it. */
const ELSEWHERE: readonly (readonly [RegExp, string])[] = [
  [/^npm start$/, 'test/dev/local-run.test.ts and the tests of everything at once'],
  [/^npm (run check|test)/, 'this is a part of it'],
  [/^npm run generate$|describe/, 'test/docs/code-blocks.test.ts'],
  [/^export |sluice\.js run /, 'test/e2e/faults.e2e.test.ts'],
  [/sluice\.js erase /, 'test/e2e/erase-suite.ts'],
  [/^cp \.env|^docker /, 'needs Docker: test/dev/compose.test.ts reads the file'],
];
/** The code that readers change before they run the commands below it. Other changes are tried without a broker. */
const CHANGED = 'processors/silver/channel.ts';
/** Ends with 1 when something differs, which the document says. */
const DIFFERS = /verify --replay v2/;

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly all: string;
}

/** The suite; `of` is asked when it begins. */
export function documentsSuite(of: () => Installation): void {
  let shop: Installation;
  let workspace: Workspace;
  let blocks: Block[];
  const printed = new Map<string, string>();

  before(async () => {
    shop = of();
    blocks = await allBlocks();
    workspace = new Workspace();
  });
  after(() => workspace.remove());

  /** As in a shell, but by main.ts: bin/sluice.js would install packages into the copy. */
  async function shell(source: string): Promise<Ran> {
    const command = source.replaceAll('node bin/sluice.js', 'node --disable-warning=ExperimentalWarning bin/main.ts');
    const path = [join(ROOT, 'node_modules', 'node', 'bin'), process.env['PATH']].join(delimiter);
    return await new Promise((resolve) => {
      execFile(
        'bash',
        ['-c', command],
        { cwd: workspace.folder, env: { ...process.env, ...shop.env, PATH: path }, timeout: DEADLINE_MS },
        (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, all: out + err }),
      );
    });
  }

  const isInstalled = (tool: string): boolean =>
    (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, tool)));

  test('run, one after the other', async (t) => {
    let count = 0;
    const elsewhere = new Set<string>();
    for (const block of blocks) {
      if (block.kind === 'diff' && block.of === CHANGED) workspace.put(block);
      if (block.kind !== 'sh') continue;
      for (const { words, source } of commandsIn(block.text)) {
        const [, reason] = ELSEWHERE.find(([pattern]) => pattern.test(words.join(' '))) ?? [];
        if (reason !== undefined) elsewhere.add(reason);
        const [tool = ''] = words;
        if (reason === undefined && !isInstalled(tool)) t.diagnostic(`not run: ${tool} is not installed here`);
        if (reason !== undefined || !isInstalled(tool)) continue;
        const { code, out, all } = await shell(source);
        assert.equal(code, DIFFERS.test(source) ? 1 : 0, `${block.at}: ${source}\n${all}`);
        printed.set(words.join(' '), out);
        count++;
      }
    }
    t.diagnostic(`${count} commands`);
    assert.ok(count >= 9, `only ${count} commands were run`);
    assert.equal(elsewhere.size, ELSEWHERE.length, 'a reason to run a command elsewhere is needed no more');
  });

  test('what they print is what the documents show', () => {
    const outputs = blocks.filter(({ kind, of }) => kind === 'output' && !of.includes('describe'));
    assert.ok(outputs.length > 0);
    for (const { at, of, text } of outputs) {
      const output = printed.get(of) ?? assert.fail(`${at}: ${of} is run by no block`);
      assert.deepEqual(missingLines(text, output), [], `${at}: ${output}`);
    }
  });

  test('the event that the reader sends is accepted', () => {
    const [, answer] = [...printed].find(([command]) => command.startsWith('curl ')) ?? [];
    if (answer !== undefined) assert.deepEqual(JSON.parse(answer), { accepted: 1, rejected: [] });
  });
}
