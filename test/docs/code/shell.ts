/** Commands in documents: taken apart as a shell does, and compared with what there is. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './blocks.ts';

/** What is put in the place of `<collector port>` and the like. */
export type Fill = (name: string) => string;

const PLACEHOLDER = /<([a-z][a-z ]*)>/g;
/** What people have anyway; what is theirs to know. */
const TOOLS = new Set(['curl', 'psql', 'docker', 'cp', 'cd', 'git', 'export']);

interface Package {
  readonly scripts: Readonly<Record<string, string>>;
}
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Package;

/** The text with its placeholders filled. */
export const filled = (text: string, fill: Fill): string => text.replace(PLACEHOLDER, (_, name: string) => fill(name));

/** A command as its words, and as it stands there. */
export interface Command {
  readonly words: readonly string[];
  readonly source: string;
}

/** Commands of a block. Knows quotes, `$(...)` as text, comments, and lines that go on within quotes or after a backslash. */
export function commandsIn(text: string): Command[] {
  const commands: Command[] = [];
  let from = 0;
  let words: string[] = [];
  let word: string | undefined;
  const endWord = (): void => {
    if (word !== undefined) words.push(word);
    word = undefined;
  };
  const endCommand = (end: number, next: number): void => {
    endWord();
    if (words.length > 0) commands.push({ words, source: text.slice(from, end).trim() });
    words = [];
    from = next;
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i] ?? '';
    const end = endOf(text, i);
    if (end < 0) throw new Error(`a quote does not end: ${text.slice(i, i + 40)}`);
    if (end > i) {
      word = (word ?? '') + text.slice(c === '$' ? i : i + 1, c === '$' ? end + 1 : end);
      i = end;
    } else if (c === '\\' && text[i + 1] === '\n') i++;
    else if (c === '#' && word === undefined) i = (text.indexOf('\n', i) + 1 || text.length + 1) - 2;
    else if (c === '\n' || c === ';' || (c === '&' && text[i + 1] === '&')) {
      endCommand(i, c === '&' ? i + 2 : i + 1);
      if (c === '&') i++;
    } else if (c === ' ') endWord();
    else word = (word ?? '') + c;
  }
  endCommand(text.length, text.length);
  return commands;
}

/** The last character of what begins here with a quote or `$(`; -1 when it does not end. */
function endOf(text: string, start: number): number {
  const c = text[start];
  if (c === "'" || c === '"') return text.indexOf(c, start + 1);
  if (c !== '$' || text[start + 1] !== '(') return start;
  for (let i = start + 1, depth = 0; i < text.length; i++) {
    if (text[i] === '(') depth++;
    if (text[i] === ')' && --depth === 0) return i;
  }
  return -1;
}

/** What of Sluice a command calls: `['test', '--long']` for `npm run test:long`; undefined for a tool from elsewhere. An Error when it is not there. */
export function sluiceCall(words: readonly string[]): readonly string[] | undefined {
  const [first = '', second = '', ...rest] = words;
  if (first === 'node' && second === 'bin/sluice.js') return rest;
  if (first === 'sluice') return [second, ...rest];
  if (first === 'npm') return npmCall(second, rest);
  if (first.includes('/')) {
    if (!existsSync(join(ROOT, first))) throw new Error(`there is no ${first}`);
    return undefined;
  }
  if (/^[A-Z_]+=/.test(first)) {
    checkVariables([first]);
    return sluiceCall(words.slice(1));
  }
  if (!TOOLS.has(first)) throw new Error(`${first} is no command that is known here`);
  if (first === 'export') checkVariables(words.slice(1));
  if (first === 'docker') checkCompose(words.slice(1));
  if (first === 'cp' && !existsSync(join(ROOT, second))) throw new Error(`there is no ${second}`);
  return undefined;
}

function npmCall(verb: string, rest: readonly string[]): readonly string[] | undefined {
  const isRun = verb === 'run';
  const name = isRun ? (rest[0] ?? '') : verb;
  if (!isRun && !['start', 'stop', 'test'].includes(verb)) throw new Error(`npm ${verb} is no script`);
  const script = scripts[name];
  if (script === undefined) throw new Error(`package.json has no script ${name}`);
  const given = isRun ? rest.slice(1) : rest;
  // Without it npm takes options for its own.
  if (given.length > 0 && given[0] !== '--') throw new Error(`npm needs -- before ${given.join(' ')}`);
  const [node, file, ...args] = script.split(' ');
  if (node !== 'node' || file !== 'bin/sluice.js') return undefined;
  return [...args, ...given.slice(1)];
}

/** Names of variables that .env.example explains. */
function checkVariables(assignments: readonly string[]): void {
  const example = readFileSync(join(ROOT, '.env.example'), 'utf8');
  for (const each of assignments) {
    const name = each.split('=', 1)[0] ?? '';
    if (!new RegExp(`^#?${name}=`, 'm').test(example)) throw new Error(`.env.example does not know ${name}`);
  }
}

function checkCompose(words: readonly string[]): void {
  const compose = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
  const [group, flag, profile = ''] = words;
  if (group !== 'compose') throw new Error(`docker ${group}: only docker compose is used`);
  if (flag === '--profile' && !new RegExp(`profiles: \\[[^\\]]*\\b${profile}\\b`).test(compose)) {
    throw new Error(`docker-compose.yml has no profile ${profile}`);
  }
}

interface CommandFile {
  readonly help: string;
  run(args: string[]): Promise<number>;
}

/** Throws unless `sluice` has the command with these options: in its help, and in what it takes. */
export async function checkCall([name = '', ...args]: readonly string[]): Promise<void> {
  const file = join(ROOT, 'bin', 'commands', `${name}.ts`);
  if (!/^[a-z]+$/.test(name) || !existsSync(file)) throw new Error(`there is no command ${name}`);
  const command = (await import(file)) as CommandFile;
  for (const arg of args) {
    const [option = ''] = /^--[^=]+/.exec(arg) ?? [];
    if (option === '' || option === '--help') continue;
    if (!new RegExp(`${option}(?![a-z-])`).test(command.help))
      throw new Error(`${name} --help does not tell ${option}`);
    if (!(await takes(command, option))) throw new Error(`${name} does not take ${option}`);
  }
}

/** An option that there cannot be comes after it, so that nothing runs: which of the two is unknown is what parseArgs says. */
async function takes(command: CommandFile, option: string): Promise<boolean> {
  try {
    await command.run([option, '--no-such-option']);
  } catch (error) {
    return !(error instanceof Error && error.message.includes(`Unknown option '${option}'`));
  }
  throw new Error('a command has taken --no-such-option');
}
