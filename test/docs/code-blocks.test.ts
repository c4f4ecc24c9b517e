/** Every code block of the documents is tried: files are compiled, linted and run, commands are such as there are, outputs are those of today. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { allBlocks, type Block, blocksOf, documents, ROOT } from './code/blocks.ts';
import { masked, missingLines } from './code/output.ts';
import { checkCall, commandsIn, filled, sluiceCall } from './code/shell.ts';
import { patched, Workspace } from './code/workspace.ts';

/** Tests that a new stage can break. */
const AROUND = ['contracts', 'personal-data', 'topics'].map((name) => `test/processors/${name}.test.ts`);
const SHOWN_LINES = 40;
/** Commands that need no server: what they print is compared here, of the others in test/e2e/documents-suite.ts. */
const STATIC = /^node bin\/sluice\.js (describe|\w+ --help|--help)/;

const inFile = (block: Block): boolean => block.kind === 'ts' || block.kind === 'json' || block.kind === 'diff';

/** Throws when one of its commands cannot be. */
async function checkShell({ at, text }: Pick<Block, 'at' | 'text'>): Promise<number> {
  const commands = commandsIn(filled(text, (name) => name.replaceAll(' ', '-')));
  for (const { words } of commands) {
    try {
      const call = sluiceCall(words);
      if (call !== undefined) await checkCall(call);
    } catch (error) {
      throw new Error(`${at}: ${words.join(' ')}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  }
  return commands.length;
}

/** Commands of Sluice that stand in the text, between backticks. */
function spans(file: string): { at: string; text: string }[] {
  const lines = readFileSync(join(ROOT, file), 'utf8').split('\n');
  return lines.flatMap((line, i) =>
    [
      ...line.matchAll(
        /`((?:npm (?:start|stop|test|run)|sluice|node bin\/sluice\.js) [^`]+|npm (?:start|stop|test))`/g,
      ),
    ].map(([, text = '']) => ({ at: `${file}:${i + 1}`, text })),
  );
}

describe('code blocks of the documents', () => {
  let blocks: Block[];
  let workspace: Workspace;
  before(async () => {
    blocks = await allBlocks();
    workspace = new Workspace();
  });
  after(() => workspace.remove());

  test('each is of a kind that is tried', (t) => {
    const counts = Map.groupBy(blocks, ({ kind }) => kind);
    t.diagnostic([...counts].map(([kind, of]) => `${of.length} ${kind}`).join(', '));
    for (const kind of ['sh', 'ts', 'json', 'diff', 'output', 'paths'] as const) assert.ok(counts.has(kind), kind);
  });

  test('commands are such as there are, with options that they take', async () => {
    let count = 0;
    for (const block of blocks.filter(({ kind }) => kind === 'sh')) count += await checkShell(block);
    assert.ok(count >= 12, `only ${count} commands`);
  });

  test('so are those that stand in the text', async () => {
    let count = 0;
    for (const span of (await documents()).flatMap(spans)) {
      // `sluice replay <stage|all>`, `dlq list|show`: what is said of a command, not typed.
      if (/[|[…]|\.\.\./.test(span.text)) continue;
      count += await checkShell({ ...span, text: span.text.replaceAll(/<[^>]*>/g, 'x') });
    }
    assert.ok(count >= 30, `only ${count} commands`);
  });

  test('pictures name what is there', () => {
    for (const { at, text } of blocks.filter(({ kind }) => kind === 'paths')) {
      for (const [path] of text.matchAll(/[\w.-]+\/[\w./-]+/g))
        assert.ok(existsSync(join(ROOT, path)), `${at}: ${path}`);
    }
  });

  test('files and changes compile, keep the rules, and their tests pass', async (t) => {
    const files = blocks.filter(inFile);
    for (const block of files) workspace.put(block);
    for (const script of ['schemas/generate.ts', 'bin/data-page.ts']) {
      const generated = await workspace.run('node', [script]);
      assert.equal(generated.code, 0, generated.output);
    }
    const paths = [...new Set(files.filter(({ kind }) => kind !== 'json').map(({ of }) => of))];
    const types = await workspace.types(paths);
    assert.equal(types.code, 0, types.output);
    const format = await workspace.run('oxfmt', ['--check', ...paths]);
    assert.equal(format.code, 0, format.output);
    const lint = await workspace.run('oxlint', ['--type-aware', '--deny-warnings', ...paths]);
    assert.equal(lint.code, 0, lint.output);
    const tests = files.map(({ of }) => of).filter((path) => path.endsWith('.test.ts'));
    assert.ok(tests.length > 0);
    const ran = await workspace.run('node', ['--test', '--test-reporter=tap', ...tests, ...AROUND]);
    assert.equal(ran.code, 0, ran.output);
    const passed = Number(/^# pass (\d+)$/m.exec(ran.output)?.[1]);
    assert.ok(passed > tests.length + AROUND.length, ran.output);
    t.diagnostic(`${files.length} files and changes, ${tests.length} of them a test`);
  });

  test('a stage of README fits into 40 lines, with its contract', () => {
    for (const { at, text, of } of blocks.filter(({ kind }) => kind === 'ts')) {
      assert.ok(text.split('\n').length <= SHOWN_LINES, `${at}: ${of} has ${text.split('\n').length} lines`);
    }
  });

  test('outputs are what the command prints', async () => {
    const outputs = blocks.filter(({ kind, of }) => kind === 'output' && STATIC.test(of));
    assert.ok(outputs.length > 0);
    for (const { at, of, text } of outputs) {
      const [, , ...args] = of.split(' ');
      const { code, output } = await workspace.run('node', [
        '--disable-warning=ExperimentalWarning',
        'bin/main.ts',
        ...args,
      ]);
      assert.equal(code, 0, `${at}: ${output}`);
      assert.equal(masked(text), masked(output), at);
    }
  });
});

describe('what is wrong in a document is found', () => {
  test('a block of no kind, and one that does not end, with file and line', () => {
    assert.throws(() => blocksOf('x.md', 'a\n\n```\nnpm start\n```\n'), /^Error: x\.md:3: ``` is no kind/);
    assert.throws(() => blocksOf('x.md', '```python\n```\n'), /x\.md:1: ```python is no kind/);
    assert.throws(() => blocksOf('x.md', '```ts\nlet a;\n```\n'), /x\.md:1/);
    assert.throws(() => blocksOf('x.md', '\n```sh\nnpm start\n'), /x\.md:2: the block does not end/);
    assert.deepEqual(
      blocksOf('x.md', '````sh\n```\n````\n').map(({ text }) => text),
      ['```'],
    );
  });

  for (const [command, problem] of [
    ['npm start -- --turbo', /x:1: npm start -- --turbo: start --help does not tell --turbo/],
    ['npm start --seconds 5', /npm needs -- before/],
    ['npm run polish', /no script polish/],
    ['node bin/sluice.js frobnicate', /no command frobnicate/],
    ['node bin/sluice.js inspect x --limits 3', /does not tell --limits/],
    ['node_modules/.bin/nothing', /there is no node_modules\/\.bin\/nothing/],
    ['export SLUICE_KAFKAS=a:1', /\.env\.example does not know SLUICE_KAFKAS/],
    ['docker compose --profile none up', /no profile none/],
    ['cp .env.none .env', /there is no \.env\.none/],
    ['wget http://127.0.0.1', /wget is no command/],
  ] as const) {
    test(command, async () => {
      await assert.rejects(checkShell({ at: 'x:1', text: command }), problem);
    });
  }

  test('an option that the help tells and the command does not take', async () => {
    // --help is told by none and taken by main.ts, not by commands.
    await assert.rejects(checkCall(['topics', '--nothing']), /does not tell --nothing/);
    await checkCall(['topics', '--count', '--timeout', '3']);
  });

  test('commands are taken apart as a shell does', () => {
    const commands = commandsIn('a "b c"  # d\n\ne \'f\ng\' && h $(i (j) k)l; m \\\n n # o');
    assert.deepEqual(
      commands.map(({ source }) => source),
      ['a "b c"  # d', "e 'f\ng'", 'h $(i (j) k)l', 'm \\\n n # o'],
    );
    const words = commands.map((each) => each.words);
    assert.deepEqual(words, [
      ['a', 'b c'],
      ['e', 'f\ng'],
      ['h', '$(i (j) k)l'],
      ['m', 'n'],
    ]);
  });

  test('a change whose lines are not there, or twice', () => {
    assert.equal(patched('x', 'a\nb\nc\n', ' a\n-b\n+d'), 'a\nd\nc\n');
    assert.throws(() => patched('x.md:4', 'a\nb\n', ' z\n+y'), /^Error: x\.md:4: its lines are not in the file/);
    assert.throws(() => patched('x', 'a\na\n', ' a\n+y'), /more than once/);
  });

  test('an invented import, a wrong field', async () => {
    const workspace = new Workspace();
    try {
      const [block] = blocksOf('x.md', "```ts processors/x.ts\nimport { wibble } from '#topology';\nwibble();\n```");
      assert.ok(block !== undefined);
      workspace.put(block);
      const { code, output } = await workspace.types(['processors/x.ts']);
      assert.notEqual(code, 0);
      assert.match(output, /processors\/x\.ts.*wibble/);
    } finally {
      workspace.remove();
    }
  });

  test('an output that has changed; numbers may differ', () => {
    assert.equal(masked('a  1,234 b\n'), masked('a 7 b'));
    assert.notEqual(masked('a 1 b'), masked('a 1 c'));
    assert.deepEqual(missingLines('a 1\n...\nd', 'a 2\nb\nc\nd\n'), []);
    assert.deepEqual(missingLines('a 1\nd\nb', 'a 2\nb\nd\n'), ['b']);
  });
});
