/** Projects divided into applications: what may be declared, and what each application is made of. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  aggregate,
  applicationsOf,
  buildTopology,
  globalJoin,
  keyBy,
  mapValues,
  type Parts,
  partTopology,
  stage,
  type Topology,
  TopologyError,
  tumbling,
  windowedBy,
} from '#topology';
import { derived, origin } from './support.ts';

const clicks = origin<string>('clicks', 3);
const views = origin<string>('views', 3);
const cleaned = derived<string>('cleaned', 3);
const counted = derived<string>('counted', 3);
const alarms = derived<string>('alarms', 3);

const copy = (name: string, from: typeof clicks, to: typeof cleaned) =>
  stage(name, (s) => {
    s.stream(from)
      .pipe(mapValues((value) => value))
      .to(to);
  });
const clean = copy('clean', clicks, cleaned);
const count = stage('count', (s) => {
  s.stream(cleaned)
    .pipe(
      keyBy((r) => r.value),
      windowedBy(tumbling({ size: '1m', grace: '0s' })),
      aggregate(
        () => '',
        (all, one) => all + one,
        { store: 'count' },
      ),
      keyBy((r) => r.key.key),
    )
    .to(counted);
});
const alarm = stage('alarm', (s) => {
  s.stream(cleaned)
    .pipe(mapValues((value) => value))
    .to(alarms);
});
const STAGES = [clean, count, alarm];

const project = (parts: Parts): Topology => buildTopology(STAGES, { app: 'p', parts });

function refused(work: () => unknown, text: RegExp): void {
  assert.throws(work, (error) => {
    assert.ok(error instanceof TopologyError);
    assert.equal(error.code, 'SLC_TOPOLOGY_PARTS');
    assert.match(`${error.message} ${error.hint ?? ''}`, text);
    return true;
  });
}

describe('a project in several applications', () => {
  test('each has its stages, and names of its own for all that is internal', () => {
    const whole = project({ late: ['count'] });
    assert.deepEqual(applicationsOf(whole), ['p', 'p.late']);
    const rest = partTopology(whole, 'p');
    const part = partTopology(whole, 'p.late');
    assert.deepEqual(
      rest.stages.map(({ name }) => name),
      ['clean', 'alarm'],
    );
    assert.deepEqual(
      part.stages.map(({ name }) => name),
      ['count'],
    );
    assert.deepEqual(
      part.internalTopics.map(({ name }) => name),
      ['p.late-count-repartition'],
    );
    assert.deepEqual(
      part.changelogs.map(({ topic }) => topic),
      ['p.late-count-changelog'],
    );
    assert.deepEqual([rest.internalTopics, rest.changelogs], [[], []]);
    assert.deepEqual([[...rest.foreign], [...part.foreign]], [[], [['cleaned', 'p']]]);
    assert.deepEqual(part.writers.get('cleaned'), [{ stage: 'clean', partitions: 3 }]);
    assert.notEqual(rest.epoch, part.epoch);
    assert.deepEqual(
      part.subTopologies.map(({ id }) => id),
      [0, 1],
    );
  });

  test('undivided it is its own application, as ever', () => {
    const whole = project({});
    assert.equal(partTopology(whole, 'p'), whole);
    assert.equal(whole.epoch, buildTopology(STAGES, { app: 'p' }).epoch);
    assert.deepEqual([[...whole.foreign], applicationsOf(whole)], [[], ['p']]);
  });

  test('what is upstream in another application is known: what follows is no function of the log either', () => {
    const table = derived<string>('table', 3);
    const joined = stage('joined', (s) => {
      const rows = s.globalTable(table, { store: 'rows' });
      s.stream(clicks)
        .pipe(
          globalJoin(
            rows,
            (r) => r.value,
            (value, row) => `${value}${row}`,
            { join: 'inner' },
          ),
        )
        .to(cleaned);
    });
    const whole = buildTopology([joined, alarm], { app: 'p', parts: { x: ['alarm'] } });
    assert.match(partTopology(whole, 'p.x').describe(), /no function of the log/);
  });
});

describe('a division is refused', () => {
  test('with names that are none, of parts, stages or applications', () => {
    refused(() => project({ x: ['nope'] }), /part x: there is no stage nope.*there are: clean, count, alarm/);
    refused(() => project({ x: [] }), /part x has no stage/);
    refused(() => project({ x: ['count'], y: ['count'] }), /stage count is in part y and in p\.x/);
    for (const name of ['replay', 'sink', 'watermarks', 'replays', 'A', 'a.b', 'a-b', '', '1'])
      refused(() => project({ [name]: ['count'] }), /cannot name a part/);
    refused(() => project({ x: ['clean', 'count', 'alarm'] }), /leave no stage to p/);
    refused(() => partTopology(project({ x: ['count'] }), 'p.y'), /no application p\.y.*p, p\.x/);
    refused(() => partTopology(project({}), 'p.x'), /no application p\.x/);
  });

  test('when two applications read one origin topic: each would fix idleness elsewhere', () => {
    const second = copy('second', clicks, alarms);
    refused(
      () => buildTopology([clean, second], { app: 'p', parts: { x: ['second'] } }),
      /topic clicks is read by p \(clean\) and p\.x \(second\)/,
    );
    // Each its own is fine.
    const other = copy('other', views, alarms);
    assert.equal(applicationsOf(buildTopology([clean, other], { app: 'p', parts: { x: ['other'] } })).length, 2);
  });

  test('when two applications write one topic: no ledger would have all promises', () => {
    const other = copy('other', views, cleaned);
    refused(
      () => buildTopology([clean, other], { app: 'p', parts: { x: ['other'] } }),
      /topic cleaned is written by p \(clean\) and p\.x \(other\)/,
    );
  });
});
