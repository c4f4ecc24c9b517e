/** Where the nodes of the topology are put. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { shopTopology, topologyOf } from '../../bin/dashboard/streams.ts';
import type { TopologyNow } from '../../dashboard/index.ts';
import { layoutOf, type PlacedNode, pathOf } from '../../dashboard/page/layout.ts';
import { lakeTopics } from '../../processors/sinks/lake.ts';
import { warehouseTopics } from '../../processors/sinks/warehouse.ts';
import { randomOf } from '../random.ts';
import { topology } from './fakes.ts';

const byName = (nodes: readonly PlacedNode[], name: string): PlacedNode =>
  nodes.find((each) => each.name === name) ?? assert.fail(name);

/** No two boxes touch, and every edge goes from the right side of its node to the left side of another, to the right. */
function assertSound(told: TopologyNow): void {
  const { nodes, edges, width, height } = layoutOf(told);
  for (const [i, a] of nodes.entries()) {
    assert.ok(a.x >= 0 && a.y >= 0 && a.x + a.width <= width && a.y + a.height <= height, `${a.id} is outside`);
    for (const b of nodes.slice(i + 1)) {
      const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
      assert.ok(apart, `${a.id} lies on ${b.id}`);
    }
  }
  for (const { from, to, points } of edges) {
    const [a, b] = [nodes.find(({ id }) => id === from), nodes.find(({ id }) => id === to)];
    assert.ok(a !== undefined && b !== undefined);
    assert.deepEqual(points[0], { x: a.x + a.width, y: a.y + a.height / 2 }, `${from} to ${to}`);
    assert.deepEqual(points.at(-1), { x: b.x, y: b.y + b.height / 2 }, `${from} to ${to}`);
    for (const [i, point] of points.entries())
      assert.ok(i === 0 || point.x > (points[i - 1]?.x ?? 0), `${from} to ${to}`);
  }
}

describe('layout of the topology', () => {
  test('sources, silver, gold and sinks stand from left to right', () => {
    const { nodes, bands } = layoutOf(topology);
    const x = (name: string): number => byName(nodes, name).x;
    assert.ok(x('bronze.app.views') < x('silver.views'));
    assert.ok(x('silver.views') < x('silver.rich'));
    assert.ok(x('silver.rich') < x('gold.hourly'));
    // It reads bronze only, and stands with its tier.
    assert.equal(x('gold.signups'), x('gold.hourly'));
    assert.ok(x('gold.hourly') < x('warehouse'));
    assert.deepEqual(
      bands.map(({ title }) => title),
      ['bronze', 'silver', 'gold', 'sinks'],
    );
    assertSound(topology);
  });

  test('an edge that passes a column goes between its nodes', () => {
    const { nodes, edges } = layoutOf(topology);
    const edge = edges.find(({ from, to }) => from === 'source bronze.app.signups' && to === 'stage gold.signups');
    assert.equal(edge?.points.length, 2 + 2 * 2);
    for (const { x, y } of edge.points.slice(1, -1)) {
      const hit = nodes.filter(
        (node) => x >= node.x && x <= node.x + node.width && y > node.y && y < node.y + node.height,
      );
      assert.deepEqual(hit, []);
    }
  });

  test('edges to sinks are drawn at once only from the last stages', () => {
    const far = layoutOf(topology).edges.filter(({ isFar }) => isFar);
    assert.deepEqual(
      far.map(({ from, to }) => `${from} -> ${to}`),
      ['source bronze.app.views -> sink lake', 'stage silver.views -> sink lake'],
    );
  });

  test('the whole shop', () => {
    const { topology: shop, catalogue } = shopTopology('shop');
    const sinks = [
      { name: 'warehouse', topics: warehouseTopics },
      ...Object.entries(lakeTopics).map(([name, topics]) => ({ name, topics })),
    ];
    const told = topologyOf(shop, catalogue, sinks);
    const { nodes } = layoutOf(told);
    assert.equal(nodes.length, lakeTopics.bronze.length + shop.stages.length + sinks.length);
    assert.ok(told.sources.length === lakeTopics.bronze.length && told.sources.every(({ tier }) => tier === 'bronze'));
    // Topics of a stage's own are its own affair.
    assert.ok(
      told.stages.every(({ reads, writes }) => [...reads, ...writes].every((name) => !name.includes('repartition'))),
    );
    assertSound(told);
  });

  test('topologies at random', () => {
    const { random } = randomOf('layout');
    const pick = (most: number): number => Math.floor(random() * most);
    for (let round = 0; round < 100; round++) {
      const topics = Array.from({ length: 1 + pick(8) }, (_, i) => `bronze.t${i}`);
      const stages: TopologyNow['stages'][number][] = [];
      for (let i = pick(10); i > 0; i--) {
        const tier = random() < 0.5 ? 'silver' : 'gold';
        const known = [...topics, ...stages.flatMap(({ writes }) => writes)];
        const reads = Array.from({ length: 1 + pick(3) }, () => known[pick(known.length)] ?? '');
        const name = `${tier}.s${i}`;
        stages.push({ name, tier, reads, writes: [name], tasks: 1, stores: 0 });
      }
      assertSound({
        app: 'a',
        sources: topics.map((topic) => ({ topic, tier: 'bronze' })),
        stages,
        sinks: [{ name: 'all', reads: [...topics, ...stages.map(({ name }) => name)] }],
      });
    }
  });

  test('nothing at all', () => {
    assert.deepEqual(layoutOf({ app: 'a', sources: [], stages: [], sinks: [] }).nodes, []);
  });

  test('a path is straight where it can be', () => {
    assert.equal(
      pathOf([
        { x: 0, y: 5 },
        { x: 10, y: 5 },
        { x: 20, y: 9 },
      ]),
      'M0,5L10,5C15,5 15,9 20,9',
    );
  });
});
