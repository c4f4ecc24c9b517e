/** The code blocks of the documents, and what kind each is. */
import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..', '..');

/** A block between fences. */
export interface Block {
  /** `README.md:12`, its opening fence. */
  readonly at: string;
  readonly file: string;
  readonly text: string;
  readonly kind: Kind;
  /** What stands after the language: a path, or the command that prints this. */
  readonly of: string;
}

/**
 * sh: commands that people type. ts, json: a file, at the path that its fence names. diff: a change of the file that it names. output: what the
 * command prints that its fence names. paths: a picture, whose words with a slash are paths.
 */
export type Kind = 'sh' | 'ts' | 'json' | 'diff' | 'output' | 'paths';

const PATTERNS = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'docs/**/*.md', 'test/**/*.md'];
const FENCE = /^ {0,3}(`{3,}|~{3,})\s*(.*)$/;

/** From the root, sorted. */
export async function documents(): Promise<string[]> {
  return (await Array.fromAsync(glob(PATTERNS, { cwd: ROOT }))).toSorted();
}

/** All blocks of all documents, in order; throws for one that no kind fits. */
export async function allBlocks(): Promise<Block[]> {
  return (await documents()).flatMap((file) => blocksOf(file, readFileSync(join(ROOT, file), 'utf8')));
}

/** The blocks of a text. An Error with file and line for a block without a kind and for a fence that does not end. */
export function blocksOf(file: string, markdown: string): Block[] {
  const blocks: Block[] = [];
  let open:
    | { readonly at: string; readonly fence: string; readonly info: string; readonly lines: string[] }
    | undefined;
  for (const [i, line] of markdown.split('\n').entries()) {
    const [, fence, info = ''] = FENCE.exec(line) ?? [];
    if (open === undefined) {
      if (fence !== undefined) open = { at: `${file}:${i + 1}`, fence, info: info.trim(), lines: [] };
    } else if (fence?.startsWith(open.fence) === true && info === '') {
      const { at, lines } = open;
      blocks.push({ at, file, text: lines.join('\n'), ...kindOf(at, open.info) });
      open = undefined;
    } else open.lines.push(line);
  }
  if (open !== undefined) throw new Error(`${open.at}: the block does not end`);
  return blocks;
}

function kindOf(at: string, info: string): Pick<Block, 'kind' | 'of'> {
  const [language = '', ...rest] = info.split(' ');
  const of = rest.join(' ');
  if (language === 'sh' && of === '') return { kind: 'sh', of };
  if (language === 'text' && of === 'paths') return { kind: 'paths', of };
  if (language === 'text' && /^(node|npm) /.test(of)) return { kind: 'output', of };
  if ((language === 'ts' || language === 'json' || language === 'diff') && /^[\w.-]+(\/[\w.-]+)*$/.test(of)) {
    return { kind: language, of };
  }
  const hint = 'known are: sh; ts, json and diff with a path; text with a command whose output it is, or with `paths`';
  throw new Error(`${at}: \`\`\`${info} is no kind of block that a test runs; ${hint}`);
}
