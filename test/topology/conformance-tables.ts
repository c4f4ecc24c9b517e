/** The topologies of the conformance cases about tables; test/conformance/README.md tells the format. */
import { asOfJoin, cogroup, globalJoin, latestJoin, toTable, untilTimeLimit } from '#topology';
import type { CaseTopology } from './conformance-windows.ts';

const joined = (left: string | null, right: string | null): string => `${left}-${right}`;
const append = (text: string, value: string): string => `${text}+${value}`;

/** By case id. */
export const tableCases: Readonly<Record<string, CaseTopology>> = {
  '16-st-inner-left': (s, { in: input, out }) => {
    const stream = s.stream(input('left'));
    const table = s.table(input('right'), { store: 'right', keeps: 'latest' });
    out('inner', stream.pipe(latestJoin(table, joined, { store: 'inner', join: 'inner' })));
    out('leftjoin', stream.pipe(latestJoin(table, joined, { store: 'left', join: 'left' })));
  },
  '17-st-versioned': (s, { in: input, out }) => {
    const table = s.table(input('right'), { store: 'right' });
    const options = { store: 'waiting', grace: '0s', tableGrace: '5m', join: 'left' } as const;
    out('out', s.stream(input('left')).pipe(asOfJoin(table, joined, options)));
  },
  '19-tt-joins': (s, { in: input, out }) => {
    const left = s.table(input('left'), { store: 'left', keeps: 'latest' });
    const right = s.stream(input('right')).pipe(toTable({ store: 'right' }));
    out('inner', left.join(right, joined, { store: 'inner' }).toStream());
    out('leftjoin', left.leftJoin(right, joined, { store: 'leftjoin' }).toStream());
    out('outer', left.outerJoin(right, joined, { store: 'outer' }).toStream());
  },
  '21-ktable-groupby': (s, { in: input, out }) => {
    const table = s.table(input('in'), { store: 'in', keeps: 'latest' });
    out(
      'count',
      table
        .groupBy((value) => value)
        .count({ store: 'count' })
        .toStream(),
    );
    const subtract = (text: string, value: string): string => `${text}-${value}`;
    const agg = table
      .groupBy((_value, key) => key.slice(0, 1))
      .aggregate(() => '0', append, subtract, { store: 'agg' });
    out('agg', agg.toStream());
  },
  '22-ktable-filter': (s, { in: input, out }) => {
    const numbers = s.table(input('in'), { store: 'in', keeps: 'latest' }).mapValues(Number);
    out('plain', numbers.filter((value) => value >= 10).toStream());
    out('mat', numbers.filter((value) => value >= 10, { store: 'mat' }).toStream());
  },
  '24-suppress-maxrecords': (s, { in: input, out }) => {
    const table = s.table(input('in'), { store: 'in', keeps: 'latest' });
    const counts = table.groupBy((value) => value).count({ store: 'count' });
    out('raw', counts.toStream());
    const until = untilTimeLimit('none', { maxRecords: 1 });
    out('sup', counts.suppress({ store: 'sup', until }).toStream());
  },
  '26-globalktable': (s, { in: input, out }) => {
    const table = s.globalTable(input('gt'), { store: 'gt' });
    const keyOf = ({ value }: { readonly value: string }): string | null => value.split(',')[1] ?? null;
    const stream = s.stream(input('in'));
    const plus = (value: string, row: string | null): string => append(value, String(row));
    out('inner', stream.pipe(globalJoin(table, keyOf, plus, { join: 'inner' })));
    out('leftjoin', stream.pipe(globalJoin(table, keyOf, plus, { join: 'left' })));
  },
  '27-cogroup': (s, { in: input, out }) => {
    const add = (text: string, value: string): string => text + value;
    const both = cogroup(s.stream(input('one')), add).cogroup(s.stream(input('two')), add);
    out('out', both.aggregate(() => '', { store: 'both' }).toStream());
  },
};
