/** A server that is not set right is refused, and the statement that is named with it repairs it: on a MariaDB of its own, whose settings it may change. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ConfigError, createKafkaClient } from '#topology';
import { createMysqlCdc, type MysqlCdc } from '../../../connectors/mysql-cdc/index.ts';
import { mariadbPart, type RunningPart } from '../../../dev/parts/index.ts';
import { captureOptions, memoryLogger, required, type Sql, sql, suffix, until } from './support.ts';

const STOP_MS = 5_000;
const database = `refused_${suffix()}`;

describe('a server without what the capture needs', { timeout: 180_000 }, () => {
  const logger = memoryLogger();
  const kafka = createKafkaClient({ brokers: required('SLUICE_TEST_KAFKA').split(','), clientId: 'cdc-test', logger });
  let folder: string;
  let server: RunningPart;
  let admin: Sql;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-refused-'));
    server = await mariadbPart().start({
      dataDir: join(folder, 'mysql'),
      logFile: join(folder, 'mysql.log'),
      cacheDir: required('SLUICE_TEST_CACHE'),
      diskBytes: 1e9,
      ports: {},
      progress: () => undefined,
      signal: new AbortController().signal,
    });
    admin = await sql(server.address);
    await admin.run(`CREATE DATABASE ${database}`);
    await admin.run(`CREATE TABLE ${database}.a (id INT PRIMARY KEY, updated_at DATETIME(3) NOT NULL)`);
    await admin.run(`INSERT INTO ${database}.a VALUES (1, NOW(3)), (2, NOW(3))`);
  });
  after(async () => {
    await admin?.end();
    await server?.stop(STOP_MS);
    await kafka.close();
    await mariadbPart().removeData(join(folder, 'mysql'));
    await rm(folder, { recursive: true, force: true });
  });

  /** A capture that has never run: its name and topics are its own. */
  function capture(): MysqlCdc {
    const name = `cdc.${database}.try_${suffix()}`;
    const options = { ...captureOptions(database, ['a']), mysqlUrl: server.address, name, topicPrefix: name };
    return createMysqlCdc({ ...options, kafka, logger });
  }

  for (const [setting, wrong, code] of [
    ['binlog_format', 'MIXED', 'SLC_CDC_BINLOG_FORMAT'],
    ['binlog_row_image', 'MINIMAL', 'SLC_CDC_ROW_IMAGE'],
    ['binlog_row_image', 'NOBLOB', 'SLC_CDC_ROW_IMAGE'],
    ['binlog_row_metadata', 'NO_LOG', 'SLC_CDC_ROW_METADATA'],
    ['binlog_row_metadata', 'MINIMAL', 'SLC_CDC_ROW_METADATA'],
  ] as const) {
    test(`${setting}=${wrong}: refused at the start, nothing written; its own hint repairs it`, async () => {
      await admin.run(`SET GLOBAL ${setting} = '${wrong}'`);
      const refused = capture();
      let hint = '';
      await assert.rejects(refused.start(), (error) => {
        assert.ok(error instanceof ConfigError, String(error));
        assert.equal(error.code, code);
        assert.match(error.message, new RegExp(`${setting} is ${wrong}`));
        hint = error.hint ?? '';
        return true;
      });
      assert.equal(refused.stats().records, 0);
      await refused.stop();
      const repair = /^SET GLOBAL \w+ = '?\w+'?/.exec(hint)?.[0];
      assert.ok(repair !== undefined, hint);
      await admin.run(repair);
      const accepted = capture();
      await accepted.start();
      await until('the snapshot is captured', () => accepted.stats().records === 2);
      await accepted.stop();
    });
  }
});
