/** The dashboard of a real run in Chromium: what it shows is what is there, and it outlives what it looks at. */
import assert from 'node:assert/strict';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'puppeteer-core';
import { shopStages } from '../../processors/index.ts';
import { topics } from '../../processors/topics.ts';
import { answer, sluice } from '../bin/cli.ts';
import { ask, becomes, needs, openPage, startBrowser, texts } from '../dashboard/browser.ts';
import { Installation } from './installation.ts';
import { type RoleProcess, runRole, until } from './roles.ts';

const SIMULATION = ['--seconds', '12', '--seed', '5'];
/** The simulator has to start, and three stages to pass records on. */
const FLOW_MS = 180_000;
const SINKS = ['warehouse', 'lake-bronze', 'lake-silver', 'lake-gold'];

/** A way to a server that can be cut and mended. */
class Wire {
  readonly #to: URL;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  port = 0;

  constructor(to: URL) {
    this.#to = new URL(to);
  }

  async mend(): Promise<void> {
    const server = createServer((from) => {
      const to = connect({ host: this.#to.hostname, port: Number(this.#to.port) });
      for (const socket of [from, to]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.once('close', () => {
          this.#sockets.delete(socket);
          from.destroy();
          to.destroy();
        });
      }
      from.pipe(to).pipe(from);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', () => resolve());
    });
    const address = server.address();
    if (address !== null && typeof address === 'object') this.port = address.port;
    this.#server = server;
  }

  cut(): void {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

describe(
  `the dashboard of a real run${needs === undefined ? '' : ` (${needs})`}`,
  { timeout: 14 * 60_000, skip: needs !== undefined },
  () => {
    let shop: Installation;
    let wire: Wire;
    let browser: Browser;
    let page: Page;
    let problems: string[];
    let run: RoleProcess;
    let env: Record<string, string>;

    const part = (name: string, state: string): string =>
      `document.querySelector('[data-part="${name}"]')?.dataset.state === '${state}'`;
    const rate = (node: string): string =>
      `parseFloat(document.querySelector('[data-node="${node}"] .rate')?.textContent) > 0`;

    before(async () => {
      shop = await Installation.start();
      const prepared = await runRole('simulate', ['--prepare', ...SIMULATION], shop.env);
      assert.equal(prepared.code, 0, prepared.output);
      const [sources, stages, sinks] = ['sources', 'run', 'sinks'].map((name) => shop.role(name));
      assert.ok(sources !== undefined && stages !== undefined && sinks !== undefined);
      run = stages;
      const postgres = new URL(shop.env['SLUICE_POSTGRES'] ?? '');
      wire = new Wire(postgres);
      await wire.mend();
      postgres.port = String(wire.port);
      env = { ...shop.env, SLUICE_POSTGRES: postgres.href, SLUICE_DASHBOARD_PORT: '0' };
      const dashboard = shop.role('dashboard', [], env);
      await Promise.all([sources, run, sinks, dashboard].map((each) => each.ready()));
      browser = await startBrowser();
      ({ page, problems } = await openPage(browser, dashboard.address ?? ''));
      await becomes(page, part('Kafka', 'up'));
    });
    after(async () => {
      await browser?.close();
      wire?.cut();
      await shop?.close();
    });

    test('the whole topology is there before any record', async () => {
      await becomes(page, part('Stages', 'up'));
      const bronze = Object.values(topics.bronze).flatMap((each) => Object.values(each)).length;
      const nodes = await texts(page, '.node title');
      process.stderr.write(`dashboard: ${nodes.length} nodes, ${(await texts(page, '.edge')).length} edges\n`);
      assert.equal(nodes.length, bronze + shopStages.length + SINKS.length);
      assert.deepEqual(await texts(page, '.band text'), ['BRONZE', 'SILVER', 'GOLD', 'SINKS']);
    });

    test('records flow: rates move from bronze to gold', async () => {
      const seen = [
        'source bronze.app.pageviews',
        'stage silver.pageviews_by_items',
        'stage gold.pageviews_by_channel',
      ].map((node) => becomes(page, rate(node), FLOW_MS));
      const simulate = shop.role('simulate', SIMULATION);
      await Promise.all(seen);
      await becomes(page, `document.querySelector('.edge.flows') !== null`);
      await until('the simulator', 180_000, () => simulate.done);
      const verified = await runRole('verify', ['--min-rows', '1', '--timeout', '150'], shop.env);
      assert.equal(verified.code, 0, verified.output);
      await becomes(
        page,
        `[...document.querySelectorAll('#stages tr')].slice(0, ${shopStages.length}).every((row) => row.children[3].textContent === '0')`,
      );
    });

    test('late records and dead letters are those that the commands count', async () => {
      interface Counted {
        readonly late: readonly { readonly count: number }[];
        readonly letters: readonly { readonly count: number }[];
      }
      const { late } = answer<Counted>(await sluice(['late', 'list', '--json'], shop.env));
      const { letters } = answer<Counted>(await sluice(['dlq', 'list', '--json'], shop.env));
      const sum = (counts: readonly { readonly count: number }[]): number =>
        counts.reduce((all, { count }) => all + count, 0);
      assert.ok(sum(late) > 0 && sum(letters) > 0);
      const tile = (title: string): string =>
        `[...document.querySelectorAll('.tile')].find((each) => each.textContent.startsWith('${title}')).querySelector('.value').textContent.replaceAll(',', '')`;
      await becomes(page, `${tile('Late records')} === '${sum(late)}'`);
      await becomes(page, `${tile('Dead letters')} === '${sum(letters)}'`);
      assert.equal((await texts(page, '#aside tr')).length, late.length + letters.length);
    });

    test('watermarks with those who hold them back; gold rows with their charts', async () => {
      for (const row of await texts(page, '#stages tr:nth-child(-n + 4)'))
        assert.match(row, /\d\d:\d\d:\d\d.*(cdc\.shop|collector|silver\.)/);
      for (const table of ['pageviews_by_channel', 'registrations_hourly', 'sales_perf_24h']) {
        await becomes(page, `document.querySelectorAll('[data-table="gold.${table}"] tbody tr').length > 0`);
        await becomes(page, `document.querySelectorAll('[data-table="gold.${table}"] .mark').length > 0`);
      }
    });

    test('PostgreSQL goes and comes: the page says so, and shows the rest meanwhile', async () => {
      wire.cut();
      await becomes(page, part('PostgreSQL', 'down'));
      await becomes(page, `document.querySelector('[data-node="sink warehouse"]').dataset.state === 'down'`);
      assert.equal(await ask(page, part('Kafka', 'up')), true);
      assert.ok((await texts(page, '.card tbody tr')).length > 0, 'the last rows stay');
      await wire.mend();
      await becomes(page, part('PostgreSQL', 'up'));
      await becomes(page, `document.querySelector('[data-node="sink warehouse"]').dataset.state === 'ok'`);
    });

    test('stages that nobody runs are said to be down', async () => {
      await run.stop();
      await becomes(page, part('Stages', 'down'));
      await shop.role('run').ready();
      await becomes(page, part('Stages', 'up'));
    });

    test('Kafka goes and comes', async () => {
      await shop.servers.kill('kafka');
      await becomes(page, part('Kafka', 'down'), FLOW_MS);
      assert.equal(await ask(page, part('PostgreSQL', 'up')), true);
      await shop.servers.revive('kafka');
      await becomes(page, part('Kafka', 'up'), FLOW_MS);
      assert.deepEqual(problems, []);
    });
  },
);
