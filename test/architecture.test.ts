/** The tree keeps its shape: who imports whom, how large a file is, what is documented. Each rule is tried on planted breaches too. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { describe, test } from 'node:test';

const ROOT = join(import.meta.dirname, '..');
const MAX_LINES = 400;

/** A folder and what its files may import besides themselves. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  topology: [],
  schemas: [],
  processors: ['topology', 'schemas'],
  connectors: ['topology', 'schemas'],
  simulators: ['topology', 'schemas'],
  dashboard: ['topology', 'schemas'],
  dev: ['topology', 'schemas'],
  bin: ['topology', 'schemas', 'processors', 'connectors', 'simulators', 'dashboard', 'dev'],
};

/** Within topology/ a file imports from its own level or from those before it. Folders of files that know nothing of records come first. */
const LEVELS: readonly (readonly string[])[] = [
  ['.', 'record-batch'],
  ['state', 'time', 'dsl', 'operators'],
  ['runtime'],
  ['replay'],
  ['kafkajs', 'testing'],
];

interface Source {
  /** From the root, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** Imports that are gone at run time: types only. */
const TYPES_ONLY =
  /(?:import|export)\s+type\s[^;]*?\sfrom\s*'[^']+'|import\s*\{(?:\s*type\s+\w+\s*,?)+\}\s*from\s*'[^']+'/g;
const SPECIFIER = /(?:^|[\s;}])(?:import|export)\s(?:[^'";]*?\sfrom\s)?\s*'([^']+)'|\bimport\('([^']+)'\)/gm;

/** Paths from the root that a file imports; packages are left out. `#topology` is topology/index.ts. */
function importsOf({ path, text }: Source): string[] {
  const aliases: Readonly<Record<string, string>> = {
    '#topology': 'topology/index.ts',
    '#topology/testing': 'topology/testing/index.ts',
    '#schemas': 'schemas/index.ts',
  };
  return [...text.matchAll(SPECIFIER)].flatMap((match) => {
    const specifier = match[1] ?? match[2] ?? '';
    if (specifier.startsWith('.'))
      return [
        normalize(join(dirname(path), specifier))
          .split(sep)
          .join('/'),
      ];
    return aliases[specifier] ?? [];
  });
}

const folderOf = (path: string): string => path.split('/')[0] ?? '';
const isTest = (path: string): boolean => folderOf(path) === 'test';

function wrongArrows(files: readonly Source[]): string[] {
  return files.flatMap((file) => {
    const from = folderOf(file.path);
    const allowed = ARROWS[from];
    if (allowed === undefined) return [];
    return importsOf(file).flatMap((to) =>
      folderOf(to) === from || allowed.includes(folderOf(to)) ? [] : [`${file.path} imports ${to}`],
    );
  });
}

/** Outside of topology/ everything comes from its index (or, in tests of the engine itself, from anywhere in it). */
function aroundTheIndex(files: readonly Source[]): string[] {
  const doors = ['topology/index.ts', 'topology/testing/index.ts'];
  return files.flatMap((file) => {
    if (folderOf(file.path) === 'topology' || isTest(file.path)) return [];
    return importsOf(file)
      .filter((to) => folderOf(to) === 'topology' && !doors.includes(to))
      .map((to) => `${file.path} imports ${to}, not '#topology'`);
  });
}

/** topology/runtime/slot.ts is at the level of 'runtime'; the index at none: it names everything. */
function levelOf(path: string): number {
  if (path === 'topology/index.ts') return Infinity;
  const [, folder = ''] = path.split('/');
  const name = path.split('/').length === 2 ? '.' : folder;
  return LEVELS.findIndex((level) => level.includes(name));
}

function wrongLevels(files: readonly Source[]): string[] {
  return files
    .filter(({ path }) => folderOf(path) === 'topology' && path !== 'topology/index.ts')
    .flatMap((file) => {
      const level = levelOf(file.path);
      if (level < 0) return [`${file.path}: its folder has no level in this test`];
      return importsOf(file)
        .filter(
          (to) => folderOf(to) === 'topology' && levelOf(to) > level && !LEVEL_EXCEPTIONS.has(`${file.path} ${to}`),
        )
        .map((to) => `${file.path} imports ${to}`);
    });
}

/** Types only. */
const LEVEL_EXCEPTIONS: ReadonlySet<string> = new Set<string>([]);

/** One cycle per file that closes one. Types may know each other: nothing of that is loaded. */
function cycles(files: readonly Source[]): string[] {
  const loaded = files.map(({ path, text }) => ({ path, text: text.replaceAll(TYPES_ONLY, '') }));
  const graph = new Map(loaded.map((file) => [file.path, importsOf(file)]));
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) {
      found.push([...way.slice(way.indexOf(path)), path].join(' -> '));
      return;
    }
    if (done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...way, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}

function tooLong(files: readonly Source[]): string[] {
  return files
    .filter(({ path }) => path !== 'schemas/generated.ts')
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines >= MAX_LINES)
    .map(({ path, lines }) => `${path}: ${lines} lines`);
}

const DECLARATION =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|const|let|class|interface|type)\s+(\w+)/;

/** Exports that others use, without a doc comment right before them. */
function undocumented(files: readonly Source[], isPublic: (path: string, name: string) => boolean): string[] {
  return files.flatMap(({ path, text }) => {
    const lines = text.split('\n');
    const seen = new Set<string>();
    return lines.flatMap((line, i) => {
      const name = DECLARATION.exec(line)?.[1];
      // Further signatures of an overloaded function share the first one's comment.
      if (name === undefined || seen.has(name)) return [];
      seen.add(name);
      const before = lines[i - 1]?.trim() ?? '';
      return before.endsWith('*/') || !isPublic(path, name) ? [] : [`${path}: ${name} has no doc comment`];
    });
  });
}

/** Absolute paths of somebody's machine. Allowed: those that are the same on every one. */
const MACHINE_PATH = /(?<![\w./:~-])\/(?:home|Users|root|work|tmp)\/[\w.-]+/g;

function machinePaths(files: readonly Source[]): string[] {
  return files.flatMap(({ path, text }) => [...text.matchAll(MACHINE_PATH)].map(([found]) => `${path}: ${found}`));
}

function filesBelow(folder: string, ends: readonly string[]): Source[] {
  const all = readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true });
  return all
    .filter((entry) => entry.isFile() && ends.some((end) => entry.name.endsWith(end)))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: relative(ROOT, path).split(sep).join('/'), text: readFileSync(path, 'utf8') }));
}

const top = readdirSync(ROOT, { withFileTypes: true }).filter((entry) => entry.isDirectory());
const folders = top.map((entry) => entry.name).filter((name) => name in ARROWS || name === 'test' || name === 'docs');
const code = folders.flatMap((folder) => filesBelow(folder, ['.ts', '.js']));
const indexText = code.find(({ path }) => path === 'topology/index.ts')?.text ?? '';
/** What files outside of a connector's folder import from it. */
const used = new Set(
  code
    .filter(({ path }) => !isTest(path))
    .flatMap((file) =>
      importsOf(file)
        .filter((to) => to.startsWith('connectors/') && dirname(to) !== dirname(file.path))
        .flatMap((to) => namesFrom(file.text, to).map((name) => `${to} ${name}`)),
    ),
);
/** What the engine's index names, and what others import from a connector. */
const isPublic = (path: string, name: string): boolean =>
  folderOf(path) === 'topology' ? new RegExp(`\\b${name}\\b`).test(indexText) : used.has(`${path} ${name}`);

function namesFrom(text: string, path: string): string[] {
  const base = path.split('/').slice(-2).join('/');
  const list = new RegExp(`\\{([^}]*)\\}\\s*from\\s*'[^']*${base.replaceAll('.', '\\.')}'`).exec(text)?.[1] ?? '';
  return list.split(',').map((name) => name.replace('type ', '').trim());
}

describe('the tree', () => {
  test('imports go one way', () => assert.deepEqual(wrongArrows(code), []));
  test("the engine is imported through '#topology'", () => assert.deepEqual(aroundTheIndex(code), []));
  test('within topology/ too', () => assert.deepEqual(wrongLevels(code), []));
  test('no cycle', () => assert.deepEqual(cycles(code), []));
  test(`no file has ${MAX_LINES} lines`, () => assert.deepEqual(tooLong(code), []));
  test('every export is documented', () => assert.deepEqual(undocumented(code, isPublic), []));
  test('nothing names a path of a machine', () => {
    const texts = [...code.filter(({ path }) => path !== 'test/architecture.test.ts'), ...filesBelow('docs', ['.md'])];
    assert.deepEqual(machinePaths(texts), []);
  });
  test('the rules have something to look at', () => {
    for (const folder of ['topology', 'processors', 'connectors', 'schemas', 'dashboard', 'dev', 'bin']) {
      assert.ok(
        code.some(({ path }) => folderOf(path) === folder),
        `no file in ${folder}/`,
      );
    }
    assert.ok(code.flatMap(importsOf).length > 300, 'imports are not recognised');
    assert.ok(used.has('connectors/postgres/sink.ts createPostgresSink'), 'names are not recognised');
  });
});

describe('each rule finds its breach', () => {
  const file = (path: string, text: string): Source => ({ path, text });

  test('imports', () => {
    assert.deepEqual(
      wrongArrows([
        file('processors/a.ts', "import { b } from '../connectors/b.ts';"),
        file('connectors/a.ts', "import type {\n  B,\n} from '../processors/b.ts';"),
        file('topology/a.ts', "export { b } from '../schemas/b.ts';"),
        file('schemas/a.ts', "import '#topology';"),
        file('simulators/a.ts', "const b = await import('../bin/b.ts');"),
        file('bin/a.ts', "import { b } from '../connectors/b.ts';\nimport { c } from 'pg';"),
      ]),
      [
        'processors/a.ts imports connectors/b.ts',
        'connectors/a.ts imports processors/b.ts',
        'topology/a.ts imports schemas/b.ts',
        'schemas/a.ts imports topology/index.ts',
        'simulators/a.ts imports bin/b.ts',
      ],
    );
  });

  test('internals of the engine', () => {
    const found = aroundTheIndex([
      file('bin/a.ts', "import { a } from '../topology/runtime/slot.ts';"),
      file('dev/a.ts', "import { a } from '#topology';"),
    ]);
    assert.deepEqual(found, ["bin/a.ts imports topology/runtime/slot.ts, not '#topology'"]);
  });

  test('levels', () => {
    const found = wrongLevels([
      file('topology/state/a.ts', "import { a } from '../runtime/slot.ts';"),
      file('topology/runtime/a.ts', "import { a } from '../kafkajs/client.ts';"),
      file('topology/new/a.ts', ''),
      file('topology/runtime/b.ts', "import { a } from '../state/store.ts';"),
    ]);
    assert.deepEqual(found, [
      'topology/state/a.ts imports topology/runtime/slot.ts',
      'topology/runtime/a.ts imports topology/kafkajs/client.ts',
      'topology/new/a.ts: its folder has no level in this test',
    ]);
  });

  test('cycles', () => {
    const ring = [
      file('dev/a.ts', "import { b } from './b.ts';"),
      file('dev/b.ts', "import { c } from './c.ts';"),
      file('dev/c.ts', "import { a } from './a.ts';"),
    ];
    assert.deepEqual(cycles(ring), ['dev/a.ts -> dev/b.ts -> dev/c.ts -> dev/a.ts']);
    assert.deepEqual(cycles(ring.slice(0, 2)), []);
    assert.deepEqual(cycles([...ring.slice(0, 2), file('dev/c.ts', "import type {\n  A,\n} from './a.ts';")]), []);
    assert.deepEqual(cycles([...ring.slice(0, 2), file('dev/c.ts', "import { type A, type B } from './a.ts';")]), []);
    assert.equal(cycles([...ring.slice(0, 2), file('dev/c.ts', "import { type A, b } from './a.ts';")]).length, 1);
  });

  test('length', () => {
    assert.deepEqual(tooLong([file('dev/a.ts', '\n'.repeat(400)), file('dev/b.ts', '\n'.repeat(399))]), [
      'dev/a.ts: 400 lines',
    ]);
  });

  test('documentation', () => {
    const text =
      '/** Yes. */\nexport const a = 1;\nexport class B {}\n/** Two. */\nexport function c(a: 1): 1;\nexport function c(a: 2): 2;\n';
    assert.deepEqual(
      undocumented([file('connectors/a.ts', text)], () => true),
      ['connectors/a.ts: B has no doc comment'],
    );
  });

  test('machine paths', () => {
    const texts = ['/home/ada/sluice', 'see https://x.io/home/y', './tmp/x', 'in /tmp/some/file'];
    assert.equal(machinePaths(texts.map((text) => file('docs/a.md', text))).length, 2);
  });
});
