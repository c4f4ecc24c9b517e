/** The page in Chromium, told by parts that the test plays: every state that it can be in. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import type { Browser, Page } from 'puppeteer-core';
import { type Dashboard, startDashboard } from '../../dashboard/index.ts';
import { ask, becomes, needs, openPage, startBrowser, texts } from './browser.ts';
import { FakeProbe, gold, HOSTILE, sinks, streams, topology } from './fakes.ts';

describe(`the page of the dashboard${needs === undefined ? '' : ` (${needs})`}`, { skip: needs !== undefined }, () => {
  const kafka = new FakeProbe('Kafka', streams(12.5));
  const warehouse = new FakeProbe('PostgreSQL', gold);
  let browser: Browser;
  let dashboard: Dashboard;
  let page: Page;
  let problems: string[];

  const start = (port: number): Promise<Dashboard> =>
    startDashboard({
      topology,
      description: { app: 'shop' },
      probes: { streams: kafka, sinks: new FakeProbe('Sinks', sinks), gold: warehouse },
      host: '127.0.0.1',
      port,
      stepMs: 50,
      logger: pino({ level: 'silent' }),
    });
  const part = (name: string, state: string): string =>
    `document.querySelector('[data-part="${name}"]')?.dataset.state === '${state}'`;

  before(async () => {
    dashboard = await start(0);
    browser = await startBrowser();
    ({ page, problems } = await openPage(browser, dashboard.url));
    await becomes(page, part('Kafka', 'up'));
  });
  after(async () => {
    await browser?.close();
    await dashboard.stop();
  });

  test('a node for each source, stage and sink, with its figures', async () => {
    assert.equal((await texts(page, '.node')).length, 3 + 4 + 2);
    const [label = ''] = await ask<string[]>(
      page,
      `[...document.querySelectorAll('[data-node="stage gold.hourly"]')].map((each) => each.getAttribute('aria-label'))`,
    );
    assert.match(
      label,
      /^stage gold\.hourly: writes 13\/s, lag 5\.0 s, watermark .*held back by collector, 4 late, 0 dead/,
    );
    assert.match((await texts(page, '#stages tr')).join('\n'), /collector at bronze\.app\.views-3 \(silent for 12 s\)/);
    assert.deepEqual(await texts(page, '[data-table="gold.signups"] tbody td, [data-table="gold.signups"] tbody th'), [
      'NL',
    ]);
    assert.deepEqual(await texts(page, '[data-table="gold.hourly"] .note'), ['1,234 rows']);
    assert.equal((await texts(page, '.chart .mark')).length, 1 + 2 * 2);
  });

  test('figures move without the nodes being drawn anew', async () => {
    await ask(page, `document.querySelector('.node').kept = true, 0`);
    kafka.answer = streams(4_200);
    await becomes(page, `document.querySelector('[data-node="stage gold.hourly"] .rate').textContent === '4.2k/s'`);
    assert.equal(await ask(page, `document.querySelector('.node').kept`), true);
    assert.equal(await ask(page, `document.querySelector('.edge.flows') !== null`), true);
  });

  test('names and values with markup in them are text', async () => {
    assert.equal(await ask(page, 'window.hacked === undefined'), true);
    assert.equal(await ask(page, `document.querySelectorAll('main script, main img').length`), 0);
    assert.ok((await texts(page, '[data-table="gold.hourly"] th')).includes(HOSTILE));
    assert.ok((await texts(page, '#aside .code')).includes(HOSTILE));
    assert.ok((await texts(page, '#aside .detail')).some((text) => text.includes(HOSTILE)));
    assert.ok((await texts(page, '.node title')).includes(`bronze.${HOSTILE}`));
  });

  test('a script that got in would not run: the policy of the page forbids it', async () => {
    const before = problems.length;
    await ask(page, `document.body.insertAdjacentHTML('beforeend', '<img src="/x" onerror="window.hacked = 3">'), 0`);
    await ask(
      page,
      `document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.hacked = 4' })), 0`,
    );
    const told = (about: RegExp): number => problems.slice(before).filter((text) => about.test(text)).length;
    // The picture, which is nowhere, is told of by itself, before or after what its handler meets.
    while (told(/Content Security Policy/) < 2 || told(/404/) < 1)
      await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(await ask(page, 'window.hacked === undefined'), true);
    problems.length = before;
  });

  test('by keyboard: a node is chosen, and its details are told', async () => {
    const active = (): Promise<string | null> => ask(page, `document.activeElement.getAttribute('data-node')`);
    for (let i = 0; i < 20 && (await active()) !== 'stage silver.rich'; i++) await page.keyboard.press('Tab');
    assert.equal(await active(), 'stage silver.rich');
    await page.keyboard.press('Enter');
    await becomes(page, `/silver\\.rich/.test(document.getElementById('details').textContent)`);
    assert.match((await texts(page, '#details')).join(''), /Read bygold\.hourly/);
    assert.equal(await ask(page, `document.activeElement.getAttribute('aria-pressed')`), 'true');
    assert.equal(await ask(page, `document.querySelector('#graph').classList.contains('lit')`), true);
    await page.keyboard.press('Enter');
    await becomes(page, `/Choose a node/.test(document.getElementById('details').textContent)`);
  });

  test('a part that is down is said, its last figures stay, and it comes back', async () => {
    warehouse.answer = new Error('connect ECONNREFUSED postgres://me:secret@127.0.0.1:1');
    await becomes(page, part('PostgreSQL', 'down'));
    assert.equal(await ask(page, part('Kafka', 'up')), true);
    const title = await ask<string>(page, `document.querySelector('[data-part="PostgreSQL"]').title`);
    assert.equal(title, 'PostgreSQL is down: connect ECONNREFUSED postgres://127.0.0.1:1');
    assert.equal((await texts(page, '.card')).length, 2);
    warehouse.answer = gold;
    await becomes(page, part('PostgreSQL', 'up'));
    kafka.answer = 'hangs';
    await becomes(page, part('Kafka', 'down'));
    assert.equal(await ask(page, part('Stages', 'unknown')), true);
    kafka.answer = streams(1);
    await becomes(page, part('Kafka', 'up'));
    kafka.answer = { ...streams(1), workers: { members: 0, slots: 0 } };
    await becomes(page, part('Stages', 'down'));
    kafka.answer = streams(1);
    await becomes(page, part('Stages', 'up'));
  });

  test('dark and light, as the reader has chosen', async () => {
    const colour = `getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((sum, each) => sum + Number(each), 0)`;
    assert.ok((await ask<number>(page, colour)) > 600);
    const dark = await openPage(browser, dashboard.url, 'dark');
    await becomes(dark.page, part('Kafka', 'up'));
    assert.ok((await ask<number>(dark.page, colour)) < 150);
    assert.deepEqual(dark.problems, []);
    await dark.page.close();
  });

  test('nothing to complain about', () => assert.deepEqual(problems, []));

  test('a lost connection is said, and made again', async () => {
    await dashboard.stop();
    await becomes(page, `!document.getElementById('lost').hidden`);
    const { port } = dashboard;
    dashboard = await start(port);
    assert.equal(dashboard.port, port);
    await becomes(page, `document.getElementById('lost').hidden`);
    assert.deepEqual(await texts(page, '#live-text'), ['live']);
  });
});
