/** What roles log: JSON lines with level, time, role and code; never a password. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { roleLogger, withoutPasswords } from '../../bin/role-logger.ts';

const MAIN = join(import.meta.dirname, '../../bin/main.ts');
const SECRET = 'hunter2';
const DEADLINE_MS = 60_000;
/** Role, its arguments, and the code of what it cannot reach; undefined: it needs nothing. */
const ROLES: readonly (readonly [string, readonly string[], string | undefined])[] = [
  ['registry', [], 'SLC_BROKER_AWAY'],
  ['sources', [], 'SLC_BROKER_AWAY'],
  ['run', [], 'SLC_BROKER_AWAY'],
  ['sinks', [], 'SLC_BROKER_AWAY'],
  ['simulate', [], undefined],
  ['capture', ['--port', '0'], undefined],
];

interface Line {
  readonly level: number;
  readonly time: number;
  readonly pid: number;
  readonly name: string;
  readonly msg: string;
  readonly code?: string;
}

describe('logs of roles', () => {
  let folder = '';
  before(async () => void (folder = await mkdtemp(join(tmpdir(), 'sluice-logs-'))));
  after(() => rm(folder, { recursive: true, force: true }));

  /** Nobody listens there. Kafka's address has no place for a password, which does not keep people from writing one. */
  const environment = (): Record<string, string> => ({
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    SLUICE_LOG: 'debug',
    SLUICE_KAFKA: `me:${SECRET}@127.0.0.1:1`,
    SLUICE_REGISTRY: `http://me:${SECRET}@127.0.0.1:1`,
    SLUICE_MYSQL: `mysql://me:${SECRET}@127.0.0.1:1/shop`,
    SLUICE_POSTGRES: `postgres://me:${SECRET}@127.0.0.1:1/sluice`,
    SLUICE_COLLECTOR: 'http://127.0.0.1:1',
    SLUICE_COLLECTOR_PORT: '0',
    SLUICE_COLLECTOR_KEYS: SECRET,
    SLUICE_REGISTRY_PORT: '0',
    SLUICE_POSTHOG_KEY: `phc_${SECRET}`,
    SLUICE_POSTHOG_HOST: 'http://127.0.0.1:1',
    SLUICE_LAKE: join(folder, 'lake'),
    SLUICE_SIM_DIR: join(folder, 'simulator'),
  });

  /** Output until it is enough, or the role has ended. */
  async function outputOf(role: string, args: readonly string[], enough: (text: string) => boolean): Promise<string> {
    const child = fork(MAIN, [role, ...args], { silent: true, env: environment(), cwd: folder });
    let text = '';
    const read = new Promise<void>((resolve) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream?.on('data', (chunk: Buffer) => {
          text += String(chunk);
          if (enough(text)) resolve();
        });
      }
      child.once('exit', () => resolve());
      setTimeout(resolve, DEADLINE_MS).unref();
    });
    await read;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
    return text;
  }

  test('are JSON lines with level, time, role and code, and hold no password', async (t) => {
    const all = ROLES.map(async ([role, args, code]) => {
      const enough = (text: string): boolean =>
        code === undefined ? text.includes('\n') : text.includes(`"code":"${code}"`);
      const text = await outputOf(role, args, enough);
      assert.ok(!text.includes(SECRET), `${role}: ${text}`);
      const lines = text.split('\n').slice(0, -1);
      assert.ok(lines.length > 0, role);
      const parsed = lines.map((line) => {
        assert.match(line, /^\{.*\}$/, `${role}: ${line}`);
        return JSON.parse(line) as Line;
      });
      for (const { level, time, pid, name, msg } of parsed) {
        assert.deepEqual([typeof level, typeof time, typeof pid, name], ['number', 'number', 'number', role], msg);
        assert.ok(msg.length > 0 && time > 1.7e12, msg);
      }
      assert.ok(code === undefined || parsed.some((line) => line.code === code), `${role}: ${text}`);
      return `${role} ${lines.length}`;
    });
    t.diagnostic(`lines: ${(await Promise.all(all)).join(', ')}`);
  });

  test('a level that there is not is refused', () => {
    const before = process.env['SLUICE_LOG'];
    process.env['SLUICE_LOG'] = 'loud';
    try {
      assert.throws(() => roleLogger('run'), { code: 'SLC_CONFIG_OPTION' });
    } finally {
      if (before === undefined) delete process.env['SLUICE_LOG'];
      else process.env['SLUICE_LOG'] = before;
    }
  });

  test('passwords in addresses are hidden, other text stays', () => {
    for (const [text, hidden] of [
      ['postgres://me:pa%40ss@host:5432/x', 'postgres://me:***@host:5432/x'],
      ['{"a":"mysql://me:b@[::1]:3306"}', '{"a":"mysql://me:***@[::1]:3306"}'],
      ['http://:key@h', 'http://:***@h'],
      ['ENOTFOUND me:secret@broker', 'ENOTFOUND me:***@broker'],
    ] as const) {
      assert.equal(withoutPasswords(text), hidden);
    }
    for (const text of ['gold.a 3@7', '10:30 me@example.org', 'http://127.0.0.1:80/a?b=c@d', '{"time":1,"a":"x@y"}']) {
      assert.equal(withoutPasswords(text), text);
    }
  });
});
