/** `sluice describe` needs no server. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { shopStages } from '../../processors/index.ts';
import { undocumented } from '../docs/fields.ts';
import { answer, sluice } from './cli.ts';

interface Described {
  readonly stages: readonly {
    readonly name: string;
    readonly subTopologies: readonly {
      readonly partitions: number;
      readonly reads: readonly string[];
      readonly writes: readonly string[];
      readonly stores: readonly { readonly name: string; readonly kind: string; readonly changelog: string }[];
    }[];
  }[];
}

describe('describe', () => {
  test('as JSON: every stage, and of one its topics and stores', async () => {
    const all = answer<Described>(await sluice(['describe', '--json'], {}));
    assert.deepEqual(undocumented('describe', all), []);
    assert.deepEqual(undocumented('describe', { ...all, novel: 1 }), ['novel']);
    assert.deepEqual(all.stages.map(({ name }) => name).toSorted(), shopStages.map(({ name }) => name).toSorted());
    const { stages } = answer<Described>(
      await sluice(['describe', 'gold.pageviews_by_channel', '--json', '--app', 'a'], {}),
    );
    const [from, to] = stages[0]?.subTopologies ?? [];
    const repartition = 'a-pageviews-by-channel-repartition';
    assert.deepEqual([from?.reads, from?.writes, from?.stores], [['silver.pageviews_by_items'], [repartition], []]);
    assert.deepEqual([to?.reads, to?.writes, to?.partitions], [[repartition], ['gold.pageviews_by_channel'], 6]);
    assert.deepEqual(
      to?.stores.map(({ name, kind, changelog }) => [name, kind, changelog]),
      [['pageviews-by-channel', 'window', 'a-pageviews-by-channel-changelog']],
    );
  });

  test('as text and as Mermaid', async () => {
    const { out } = await sluice(['describe', 'silver.users'], {});
    assert.match(out, /^application shop, epoch \w{12}: 1 stages, 1 sub-topologies, 6 tasks\nstage silver\.users\n/);
    assert.match(out, /^ {4}reads bronze\.shop\.users \(6 partitions\)$/m);
    const mermaid = await sluice(['describe', 'silver.users', '--mermaid'], {});
    assert.match(mermaid.out, /^flowchart LR\n/);
    assert.match(mermaid.out, /\(\["silver\.users"\]\)/);
  });

  test('a stage that there is not', async () => {
    const { code, err } = await sluice(['describe', 'gold.sales'], {});
    assert.deepEqual(
      [code, /SLC_INSPECT_STAGE/.test(err), /did you mean gold\.sales_perf_24h/.test(err)],
      [1, true, true],
    );
  });
});
