/** Tasks, and the slots that run them. */
import { LedgerView } from './ledger-view.ts';
import type { Rules } from './model.ts';
import { type Stage, STAGES } from './stages.ts';

/** A stage on one partition. */
export interface Task {
  readonly stage: Stage;
  readonly q: number;
  readonly id: string;
  state: unknown;
  view: LedgerView;
  said: number;
  end: readonly number[];
}

/** Tasks of one partition number that read, crash and commit together. */
export interface Slot {
  readonly q: number;
  readonly tasks: readonly Task[];
  readonly inputs: readonly string[];
  position: Record<string, number>;
  clock: Record<string, number>;
  /** Event hour of the last pin of its own clock. */
  readonly hour: Record<string, number>;
}

/** First offsets, per topic and partition. */
export type Offsets = Readonly<Record<string, readonly number[]>>;

/**
 * RULE 3: one position per slot and topic. A slot is all tasks of a partition (`whole`), or at least what shares an origin topic; broken, each task is one
 * of its own.
 */
export function makeSlots(rules: Rules, origins: ReadonlySet<string>, whole: boolean, from?: Offsets): Slot[] {
  const tasks = STAGES.flatMap((stage) =>
    Array.from({ length: stage.n }, (_, q): Task => {
      const view = new LedgerView(stage.in, rules);
      return { stage, q, id: `${stage.name}/${q}`, state: stage.op.init(), view, said: -Infinity, end: [] };
    }),
  );
  const groupOf = ({ stage, q, id }: Task): string => {
    if (rules.readers === 'own positions') return id;
    if (whole) return `/${q}`;
    const [first = ''] = stage.in;
    return `${first === 'clicks' ? 'clicks' : origins.has(first) ? 'origin' : stage.name}/${q}`;
  };
  return [...Map.groupBy(tasks, groupOf).values()].map((group): Slot => {
    const inputs = [...new Set(group.flatMap((task) => task.stage.in))];
    const q = group[0]?.q ?? 0;
    const each = (value: (topic: string) => number): Record<string, number> =>
      Object.fromEntries(inputs.map((topic) => [topic, value(topic)]));
    const none = (): number => -Infinity;
    const position = each((topic) => from?.[topic]?.[q] ?? 0);
    return { q, tasks: group, inputs, position, clock: each(none), hour: each(none) };
  });
}
