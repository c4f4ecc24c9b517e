/** What standby copies must not do, each alone put into the engine: a module is loaded with one piece of it replaced (break-rule.ts). */
import type { BrokenRule } from './broken-rules.ts';

export const BROKEN_STANDBYS: readonly (Omit<BrokenRule, 'rule'> & { readonly isOnDisk?: boolean })[] = [
  {
    name: 'a copy takes what is not committed',
    file: 'runtime/standbys.ts',
    find: 'committed: true,',
    replace: 'committed: false,',
  },
  {
    name: 'the restore begins one record behind the copy',
    file: 'runtime/standby-copy.ts',
    find: 'return offset;',
    replace: 'return offset < range.end ? offset + 1n : offset;',
  },
  {
    name: 'the clock of a node is not in the copy',
    file: 'runtime/standby-copy.ts',
    find: 'if (clock !== undefined) load(clock.key, clock.value);',
    replace: '',
  },
  {
    name: 'the restore begins at the end, whatever the copy lacks',
    file: 'runtime/standby-copy.ts',
    find: 'return offset;',
    replace: 'return range.end;',
  },
  {
    name: 'a copy on disk says that it has more than it has',
    file: 'runtime/standby-disk.ts',
    find: 'this.#state.reached(part.name, nextOffset);',
    replace: 'this.#state.reached(part.name, nextOffset + 3n);',
    isOnDisk: true,
  },
];
