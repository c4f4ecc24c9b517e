/** What rule 14 must not do, put into the engine: a module is loaded with one piece of it replaced (break-rule.ts). It shows in no result, but in none at all. */
import type { BrokenRule } from './broken-rules.ts';

export const BROKEN_SKEW: readonly BrokenRule[] = [
  {
    rule: 14,
    name: 'a partition that has nothing unread is waited for',
    file: 'runtime/slot-input.ts',
    find: 'return !this.atEnd && (!this.#wasFetched || this.position < this.endOffset);',
    replace: 'return true;',
  },
];
