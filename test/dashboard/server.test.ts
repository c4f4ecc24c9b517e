/** The dashboard over HTTP, told by parts that the test plays. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import { type Dashboard, type DashboardOptions, type Snapshot, startDashboard } from '../../dashboard/index.ts';
import { FakeProbe, gold, sinks, streams, topology } from './fakes.ts';

const PAGE = join(import.meta.dirname, '..', '..', 'dashboard', 'page');

function optionsOf(more: Partial<DashboardOptions> = {}): DashboardOptions {
  return {
    topology,
    description: { app: 'shop', stages: [] },
    probes: {
      streams: new FakeProbe('Kafka', streams(3)),
      sinks: new FakeProbe('Sinks', sinks),
      gold: new FakeProbe('PostgreSQL', gold),
    },
    host: '127.0.0.1',
    port: 0,
    stepMs: 20,
    logger: pino({ level: 'silent' }),
    ...more,
  };
}

/** Events of a stream until `enough`. */
async function listen(
  url: string,
  enough: (events: readonly [string, unknown][]) => boolean,
): Promise<[string, unknown][]> {
  const abort = new AbortController();
  const response = await fetch(`${url}/api/events`, { signal: abort.signal });
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  const events: [string, unknown][] = [];
  let text = '';
  for await (const bytes of response.body ?? []) {
    text += Buffer.from(bytes).toString();
    const frames = text.split('\n\n');
    text = frames.pop() ?? '';
    for (const frame of frames) {
      const [, event = '', data = ''] = /^event: (.*)\ndata: (.*)$/.exec(frame) ?? [];
      if (event !== '') events.push([event, JSON.parse(data)]);
    }
    if (enough(events)) break;
  }
  abort.abort();
  return events;
}

describe('the dashboard over HTTP', () => {
  let dashboard: Dashboard;
  before(async () => void (dashboard = await startDashboard(optionsOf({ names: ['sluice.example'] }))));
  after(() => dashboard.stop());

  test('the page and its files are its own: nothing from elsewhere, nothing inline', async () => {
    const response = await fetch(dashboard.url);
    const html = await response.text();
    const policy = response.headers.get('content-security-policy') ?? '';
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
    assert.doesNotMatch(policy, /unsafe|http|\*/);
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(response.headers.get('x-frame-options'), 'DENY');
    assert.doesNotMatch(html, /<script(?![^>]*\ssrc="\/assets\/)|\sstyle=|\son\w+=|https?:\/\//);
    const files = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, file = '']) => file);
    assert.ok(files.length >= 3);
    for (const file of files) assert.equal((await fetch(dashboard.url + file)).status, 200, file);
  });

  test('TypeScript comes as JavaScript, and is not sent again when it is known', async () => {
    const url = `${dashboard.url}/assets/layout.ts`;
    const first = await fetch(url);
    assert.equal(first.headers.get('content-type'), 'text/javascript; charset=utf-8');
    assert.doesNotMatch(await first.text(), /interface |import type|: readonly/);
    const again = await fetch(url, { headers: { 'if-none-match': first.headers.get('etag') ?? '' } });
    assert.equal(again.status, 304);
  });

  test('no markup is made of text anywhere in the page', async () => {
    for (const name of await readdir(PAGE)) {
      const text = await readFile(join(PAGE, name), 'utf8');
      assert.doesNotMatch(
        text,
        /innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|\beval\b/,
        name,
      );
    }
  });

  test('only its own files', async () => {
    for (const path of [
      '/assets/tsconfig.json',
      '/assets/..%2fserver.ts',
      '/assets/nothing',
      '/package.json',
      '/assets/',
    ]) {
      assert.equal((await fetch(dashboard.url + path)).status, 404, path);
    }
  });

  test('asked under a name of somebody else it answers nothing (DNS rebinding)', async () => {
    const ask = (host: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        request(`${dashboard.url}/api/snapshot`, { headers: { host } }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .once('error', reject)
          .end();
      });
    for (const host of ['localhost:80', '127.0.0.1:9', '[::1]:1', 'sluice.example'])
      assert.equal(await ask(host), 200, host);
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example'])
      assert.equal(await ask(host), 421, host);
  });

  test('topology, snapshot, health', async () => {
    const get = async (path: string): Promise<unknown> => (await fetch(dashboard.url + path)).json();
    assert.deepEqual(await get('/api/topology'), { app: 'shop', stages: [], graph: topology });
    assert.equal(((await get('/api/snapshot')) as Snapshot).app, 'shop');
    assert.deepEqual(await get('/healthz'), { status: 'ok', clients: 0 });
  });

  test('events: topology, the past, then snapshots', async () => {
    const known = (data: unknown): boolean => (data as Snapshot).streams?.topics[0]?.perSecond === 3;
    const events = await listen(dashboard.url, (all) =>
      all.some(([event, data]) => event === 'snapshot' && known(data)),
    );
    assert.deepEqual(
      events.slice(0, 3).map(([event]) => event),
      ['topology', 'history', 'snapshot'],
    );
    const [, last] = events.at(-1) ?? assert.fail();
    const { parts } = last as Snapshot;
    assert.ok(parts.some(({ name, state }) => name === 'Kafka' && state === 'up'));
  });

  test('pages beyond the limit are told to come later', async () => {
    const small = await startDashboard(optionsOf({ limits: { clients: 1, waitingBytes: 1e6, heartbeatMs: 1_000 } }));
    const abort = new AbortController();
    const first = await fetch(`${small.url}/api/events`, { signal: abort.signal });
    const second = await fetch(`${small.url}/api/events`);
    assert.deepEqual([first.status, second.status, second.headers.get('retry-after')], [200, 503, '10']);
    assert.deepEqual(small.clients(), { open: 1, dropped: 0 });
    abort.abort();
    await small.stop();
  });

  test('a page that does not read is cut off', async () => {
    const long = { ...streams(1), putAside: streams(1).putAside.map((each) => ({ ...each, detail: 'x'.repeat(2e6) })) };
    const probes = { streams: new FakeProbe('Kafka', long) };
    const busy = await startDashboard(
      optionsOf({ probes, limits: { clients: 4, waitingBytes: 5e6, heartbeatMs: 1_000 } }),
    );
    // Its answer is never read.
    const asked = request(`${busy.url}/api/events`, (response) => void response.pause());
    asked.on('error', () => undefined).end();
    const end = Date.now() + 60_000;
    while (busy.clients().dropped === 0) {
      assert.ok(Date.now() < end, 'it was not cut off');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(busy.clients().open, 0);
    asked.destroy();
    await busy.stop();
  });

  test('a port that is taken is replaced by a free one; an address of somebody else is refused', async () => {
    const second = await startDashboard(optionsOf({ port: dashboard.port }));
    assert.notEqual(second.port, dashboard.port);
    assert.equal((await fetch(`${second.url}/healthz`)).status, 200);
    await second.stop();
    await assert.rejects(startDashboard(optionsOf({ host: '192.0.2.1' })), { code: 'SLC_DASHBOARD_LISTEN' });
  });
});
