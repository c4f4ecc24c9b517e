/** What applications of one project must not do, each alone put into the engine: a module is loaded with one piece of it replaced (break-rule.ts). */
import type { BrokenRule } from './broken-rules.ts';

export const BROKEN_PARTS: readonly Omit<BrokenRule, 'rule'>[] = [
  {
    name: 'each application numbers names by a list of its own',
    file: 'runtime/roster.ts',
    find: 'updateOwn({ ...options, names }, entry)',
    replace: 'updateOwn(names.length < 0 ? { ...options, names } : options, entry)',
  },
  {
    name: 'what other applications promise counts before it is read',
    file: 'time/topic-watermark.ts',
    find: 'if (promise.end > position) break;',
    replace: '',
  },
  {
    name: 'what other applications promise does not count: a topic is complete as far as its records say',
    file: 'runtime/slot.ts',
    find: 'if (record === undefined) return;',
    replace: `if (record === undefined) return;
      for (const writer of input.source.writers) {
        const isOwn = this.tasks.some(({ stage }) => writer.startsWith(\`\${stage}/\`));
        if (!isOwn) input.ledger?.receive({ writer, topic: input.tp.topic, m: record.timestamp, ends: [] });
      }`,
  },
];
