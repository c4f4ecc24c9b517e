/** SLUICE_APPS and --only: what runs as an application of its own is declared once, and nothing else runs. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError, type SluiceError } from '#topology';
import { shopApplication, shopParts, shopProject } from '../../bin/project.ts';
import { answer, sluice } from './cli.ts';

const APPS = 'fraud=gold.login_anomalies; sums = gold.top_selling_items , gold.order_trends;';

function withApps<T>(text: string | undefined, work: () => T): T {
  const before = process.env['SLUICE_APPS'];
  if (text === undefined) delete process.env['SLUICE_APPS'];
  else process.env['SLUICE_APPS'] = text;
  try {
    return work();
  } finally {
    if (before === undefined) delete process.env['SLUICE_APPS'];
    else process.env['SLUICE_APPS'] = before;
  }
}

const refused = (work: () => unknown, code: string, text: RegExp): void => {
  assert.throws(work, (error) => {
    const { code: found, message, hint } = error as SluiceError;
    assert.equal(found, code);
    assert.match(`${message} ${hint ?? ''}`, text);
    return true;
  });
};

describe('SLUICE_APPS', () => {
  test('names applications and their stages', () => {
    assert.deepEqual(shopParts(APPS), {
      fraud: ['gold.login_anomalies'],
      sums: ['gold.top_selling_items', 'gold.order_trends'],
    });
    assert.deepEqual([shopParts(''), shopParts(' ; ')], [{}, {}]);
    for (const wrong of ['fraud', 'fraud=', '=gold.login_anomalies', 'a=b=c', 'a=b;a=c'])
      assert.throws(() => shopParts(wrong), ConfigError, wrong);
  });

  test('a part that cannot be is refused', () => {
    refused(() => withApps('a=silver.nope', () => shopProject('shop')), 'SLC_TOPOLOGY_PARTS', /no stage silver\.nope/);
    // Both read bronze.app.pageviews: two clocks for one topic.
    refused(
      () => withApps('a=silver.sessions', () => shopProject('shop')),
      'SLC_TOPOLOGY_PARTS',
      /topic bronze\.app\.\w+ is read by shop/,
    );
  });
});

describe('--only', () => {
  const project = withApps(APPS, () => shopProject('shop'));
  const stagesOf = (only?: string): string[] => shopApplication(project, only).stages.map(({ name }) => name);

  test('finds an application by all of its stages, or by its name', () => {
    assert.equal(shopApplication(project, 'gold.login_anomalies').app, 'shop.fraud');
    assert.equal(shopApplication(project, 'gold.order_trends, gold.top_selling_items').app, 'shop.sums');
    assert.equal(shopApplication(project, 'sums').app, 'shop.sums');
    const rest = stagesOf();
    assert.equal(rest.length, project.stages.length - 3);
    assert.ok(!rest.includes('gold.login_anomalies') && rest.includes('silver.logins_enriched'));
  });

  test('refuses what is not declared: it could run twice', () => {
    for (const only of ['gold.order_trends', 'silver.users', 'shop', 'shop.fraud', '', 'fraud,sums'])
      refused(() => shopApplication(project, only), 'SLC_APP_UNDECLARED', /shop\.fraud \(gold\.login_anomalies\)/);
    const undivided = withApps(undefined, () => shopProject('shop'));
    refused(() => shopApplication(undivided, 'gold.login_anomalies'), 'SLC_APP_UNDECLARED', /none is declared/);
    assert.equal(shopApplication(undivided, undefined), undivided);
  });

  test('of describe', async () => {
    const env = { SLUICE_APPS: APPS };
    const part = answer<{ app: string; stages: { name: string }[] }>(
      await sluice(['describe', '--only', 'fraud', '--json'], env),
    );
    assert.deepEqual([part.app, part.stages.map(({ name }) => name)], ['shop.fraud', ['gold.login_anomalies']]);
    const { code, err } = await sluice(['describe', '--only', 'nope'], env);
    assert.equal(code, 2);
    assert.match(err, /SLC_APP_UNDECLARED/);
  });
});
