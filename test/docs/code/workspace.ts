/** A copy of the repository that files and changes of documents are put into: what a reader has who follows them. */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Block, ROOT } from './blocks.ts';

const FOLDERS = [
  'bin',
  'connectors',
  'dashboard',
  'dev',
  'docs',
  'processors',
  'schemas',
  'simulators',
  'topology',
  'test',
];
const FILES = ['package.json', 'tsconfig.json', '.oxlintrc.json', '.oxfmtrc.json', '.env.example'];
const DEADLINE_MS = 120_000;

export interface Ran {
  readonly code: number;
  readonly output: string;
}

export class Workspace {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-docs-'));

  constructor() {
    for (const name of FOLDERS.filter((each) => existsSync(join(ROOT, each))))
      cpSync(join(ROOT, name), join(this.folder, name), { recursive: true });
    for (const name of FILES) cpSync(join(ROOT, name), join(this.folder, name));
    symlinkSync(join(ROOT, 'node_modules'), join(this.folder, 'node_modules'));
  }

  /** Puts a ts, json or diff block into its place. An Error with the block's place when it does not fit. */
  put({ at, kind, of, text }: Block): void {
    const file = join(this.folder, of);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, kind === 'diff' ? patched(at, readFileSync(file, 'utf8'), text) : `${text}\n`);
  }

  /** Runs something of node_modules/.bin there. */
  async run(command: string, args: readonly string[]): Promise<Ran> {
    // A run within a test run would take itself for a child of it.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    return await new Promise((resolve) => {
      execFile(
        join(ROOT, 'node_modules', '.bin', command),
        [...args],
        { cwd: this.folder, env, timeout: DEADLINE_MS, maxBuffer: 16 * 2 ** 20 },
        (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: out + err }),
      );
    });
  }

  /** Types of these files and of what they import. */
  async types(paths: readonly string[]): Promise<Ran> {
    const config = { extends: './tsconfig.json', include: [], files: paths };
    writeFileSync(join(this.folder, 'tsconfig.docs.json'), JSON.stringify(config));
    return await this.run('tsc', ['-p', 'tsconfig.docs.json']);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** One hunk: its lines with ' ' and '-' stand in the text once, one after the other. */
export function patched(at: string, text: string, hunk: string): string {
  const lines = hunk.split('\n');
  const side = (gone: string): string =>
    lines.flatMap((line) => (line.startsWith(gone) ? [] : [line.slice(1)])).join('\n');
  const [before, after] = [`${side('+')}\n`, `${side('-')}\n`];
  if (lines.some((line) => !/^[ +-]/.test(line)))
    throw new Error(`${at}: a line of a diff begins with a blank, + or -`);
  if (text.split(before).length !== 2)
    throw new Error(`${at}: its lines are not in the file, or more than once:\n${before}`);
  return text.replace(before, () => after);
}
