/**
 * A process that dies at every point of a commit, and what is on disk then: the content of each store must be that of its changelog before the offset
 * that is written beside it, and of nothing that is not committed. The successor goes on from there; the output is exact.
 */
import assert from 'node:assert/strict';
import { readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test, type TestContext } from 'node:test';
import { ConfigError, RetriableError, type StreamApp } from '#topology';
import { random } from '#topology/testing';
import { StateDisk } from '../../../topology/state/state-disk.ts';
import { hasState, Machine, Mortal, POINTS, SLOTS, until } from './state-app.ts';

/** A machine, and an application on it that has committed state. */
async function atWork(t: TestContext): Promise<{ readonly machine: Machine; readonly first: StreamApp }> {
  const machine = new Machine();
  await machine.open(t);
  const first = await machine.start();
  await machine.send(300);
  await until('work', () => hasState(first));
  return { machine, first };
}

/** A machine whose application has stopped and left its state on the disk. */
async function atRest(t: TestContext): Promise<Machine> {
  const { machine, first } = await atWork(t);
  await first.stop();
  return machine;
}

const SEED = Number(process.env['SLUICE_SEED'] ?? Date.now() % 1_000_000);

describe('state on disk', () => {
  test(`after a death at any point of a commit holds what was committed, and no more (seed ${SEED})`, async (t) => {
    const machine = new Machine();
    await machine.open(t);
    const chance = random(SEED);
    const points = [...POINTS, ...POINTS].toSorted(() => chance.next() - 0.5);
    let checked = 0;
    let tails = 0;
    for (const { operation, when } of points) {
      const mortal = new Mortal(machine.broker.client());
      machine.checkpointMs = chance.chance(0.7) ? 0 : 200;
      let left = chance.int(1, 6);
      let remains = '';
      mortal.onOperation = (point) => {
        if (point.operation !== operation || point.when !== when || --left > 0) return;
        mortal.isDead = true;
        remains = machine.copy();
      };
      const app = await machine.start(mortal.client);
      while (!mortal.isDead) {
        await machine.send(5);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      // The dead one still has its own directory; its successor has what a kernel would have left behind.
      await app.stop();
      checked += machine.checkDisk(remains);
      machine.directory = remains;
      const { restored } = app.stats();
      if (restored === 0) tails++;
    }
    const last = await machine.start();
    await machine.finish(last);
    assert.ok(checked > points.length, `${checked} checkpoints compared with their changelogs`);
    assert.ok(tails > 0, 'somebody began at the end of a changelog');
    t.diagnostic(`${points.length} deaths, ${checked} checkpoints compared, ${tails} successors had nothing to read`);
  });

  const damages: Readonly<Record<string, (file: string) => void>> = {
    'cut off': (file) => truncateSync(file, 5_000),
    'no database': (file) => writeFileSync(file, 'x'.repeat(20_000)),
    empty: (file) => truncateSync(file, 0),
  };
  for (const [what, damage] of Object.entries(damages)) {
    test(`that is ${what} is restored from the changelogs, with a word about it`, async (t) => {
      const machine = await atRest(t);
      for (const slot of readdirSync(join(machine.directory, 'c'))) {
        rmSync(join(machine.directory, 'c', slot, 'state.sqlite-wal'), { force: true });
        damage(join(machine.directory, 'c', slot, 'state.sqlite'));
      }
      machine.said.length = 0;
      const second = await machine.start();
      await machine.send(300);
      await machine.finish(second);
      if (what !== 'empty')
        assert.ok(
          machine.said.some((text) => text.includes('is not used')),
          machine.said.join('\n'),
        );
      assert.ok(second.stats().slots.length === 2);
    });
  }

  test('is read by its successor, and by nobody else while it is in use', async (t) => {
    const { machine, first } = await atWork(t);
    const identity = { app: 'c', epoch: machine.topology.epoch, partition: 0 };
    const open = (): StateDisk => StateDisk.open(join(machine.directory, 'c', '0'), identity, assert.fail);
    assert.throws(
      open,
      (error) =>
        error instanceof RetriableError &&
        error.code === 'SLC_STATE_LOCKED' &&
        error.message.includes(String(process.pid)),
    );
    await first.stop();
    open().close(true);
    const second = await machine.start();
    await until('restored', () => second.stats().ready);
    assert.equal(second.stats().restored, 0, 'nothing is left to read in the changelogs');
    await machine.send(300);
    await machine.finish(second);
  });

  test('of another version, or ahead of the changelog, is not used', async (t) => {
    const machine = await atRest(t);
    for (const change of ['other', 'ahead'] as const) {
      for (const partition of SLOTS) {
        const identity = { app: 'c', epoch: machine.topology.epoch, partition };
        const directory = join(machine.directory, 'c', String(partition));
        if (change === 'other') StateDisk.open(directory, { ...identity, epoch: 'other' }, () => undefined).close(true);
        else {
          const disk = StateDisk.open(directory, identity, () => undefined);
          const entries = [{ key: Buffer.from('tghost'), value: Buffer.from('[0,"",1000000]') }];
          disk.write([{ store: 'totals', entries, offset: 1_000_000n }], Date.now());
          disk.close(true);
        }
      }
      machine.said.length = 0;
      const next = await machine.start();
      await machine.send(100);
      await until('restored', () => next.stats().ready);
      assert.ok(
        machine.said.some((text) => text.includes(change === 'other' ? 'it is of' : 'changelog ends at')),
        machine.said.join('\n'),
      );
      await until('work', () => next.stats().commits > 0);
      if (change === 'ahead') await machine.finish(next);
      else await next.stop();
    }
  });

  test('that is not what was written is noticed when it is read: nothing of it is committed', async (t) => {
    const machine = await atRest(t);
    for (const partition of SLOTS) {
      const db = new DatabaseSync(join(machine.directory, 'c', String(partition), 'state.sqlite'));
      db.exec(`UPDATE "store totals" SET v = CAST('[0,100000]' AS BLOB)`);
      db.close();
    }
    machine.said.length = 0;
    const second = await machine.start();
    await machine.send(300);
    await machine.finish(second);
    const word = machine.said.find((text) => text.includes('taking it anew'));
    assert.match(word ?? machine.said.join(), /not what was written/);
  });

  test('and a disk that is full: one clear error, and a successor that has lost nothing', async (t) => {
    const { machine, first } = await atWork(t);
    // eslint-disable-next-line typescript/unbound-method
    const exec = DatabaseSync.prototype.exec;
    const full = t.mock.method(DatabaseSync.prototype, 'exec', function (this: DatabaseSync, sql: string) {
      if (sql === 'COMMIT') throw Object.assign(new Error('database or disk is full'), { errcode: 13 });
      exec.call(this, sql);
    });
    await machine.send(300);
    await until('an error', () => machine.fatal.length > 0);
    const [error] = machine.fatal;
    assert.ok(
      error instanceof ConfigError && error.code === 'SLC_STATE_FULL' && error.hint !== undefined,
      String(error),
    );
    await first.stop();
    full.mock.restore();
    machine.fatal.length = 0;
    const second = await machine.start();
    await machine.finish(second);
  });

  test('goes with its slot to another process of the machine', async (t) => {
    const machine = new Machine();
    await machine.open(t);
    const first = await machine.start();
    await machine.send(300);
    const second = await machine.start();
    await until('both have slots', () => [first, second].every((app) => app.stats().slots.length === 1));
    await machine.send(300);
    await until('both work', () => second.stats().commits > 0 && first.stats().ready);
    await first.stop();
    await until('one has all', () => second.stats().slots.length === 2 && second.stats().ready);
    await machine.send(300);
    await machine.finish(second);
    assert.deepEqual(
      machine.said.filter((text) => text.includes('not used')),
      [],
    );
  });
});
