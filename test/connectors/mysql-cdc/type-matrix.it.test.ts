/** Every column type at its extremes: what the snapshot's SELECT gives and what the binlog gives become the same bytes, and the right values. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import avsc from 'avsc';
import { BinlogReader, type RowsItem } from '../../../connectors/mysql-cdc/binlog-reader.ts';
import { TableCatalog, signatureOf } from '../../../connectors/mysql-cdc/catalog.ts';
import { compile } from '../../../connectors/mysql-cdc/codec.ts';
import { Connection, connectionSettings } from '../../../connectors/mysql-cdc/connection.ts';
import { describeServer } from '../../../connectors/mysql-cdc/server.ts';
import { openSnapshot } from '../../../connectors/mysql-cdc/snapshot.ts';
import { readTable } from '../../../connectors/mysql-cdc/tables.ts';
import type { Row } from '../../../connectors/mysql-cdc/types.ts';
import { required, sql, suffix, until } from './support.ts';

const MYSQL = required('SLUICE_TEST_MYSQL');

const COLUMNS = `id BIGINT UNSIGNED PRIMARY KEY, bi BIGINT, bu BIGINT UNSIGNED, i INT, iu INT UNSIGNED, mi MEDIUMINT, mu MEDIUMINT UNSIGNED,
  si SMALLINT, su SMALLINT UNSIGNED, ti TINYINT, tu TINYINT UNSIGNED, bo TINYINT(1), b1 BIT(1), b10 BIT(10), b64 BIT(64), d DECIMAL(10,2),
  dd DECIMAL(38,10), f FLOAT, db DOUBLE, dt DATETIME, dt3 DATETIME(3), dt6 DATETIME(6), ts TIMESTAMP NULL, ts6 TIMESTAMP(6) NULL, da DATE, tm TIME,
  tm6 TIME(6), yr YEAR, en ENUM('a','b,c','d''e'), st SET('x','y','z'), js JSON, bl BLOB, tx TEXT, mt MEDIUMTEXT, vc VARCHAR(50),
  l1 VARCHAR(50) CHARACTER SET latin1, ch CHAR(5), bn BINARY(4), vb VARBINARY(10), nul INT`;
const ROWS = [
  `1, -9223372036854775808, 18446744073709551615, -2147483648, 4294967295, -8388608, 16777215, -32768, 65535, -128, 255, 1, b'1', b'1000000001',
   b'1111111111111111111111111111111111111111111111111111111111111111', -12345678.90, 1234567890123456789012345678.0123456789, 16777217.5, 1e300,
   '2026-02-28 23:59:59', '2026-02-28 23:59:59.123', '2026-02-28 23:59:59.123456', '2026-02-28 23:59:59', '2038-01-19 03:14:07.999999', '2026-02-28',
   '-838:59:59', '12:34:56.789012', 2026, 'b,c', 'x,z', '{"a":1,"b":[true,null,"é😀"],"big":9007199254740993}', x'00ff10', 'texté😀', 'm', 'vär😀',
   'latiné', 'ab', x'0001ff00', x'00ff', NULL`,
  `18446744073709551615, 9007199254740993, 9007199254740993, 0,0,0,0,0,0,0,0,0,b'0',b'0',b'0',0.00,-0.0000000001,0.1,-0.0,'1000-01-01 00:00:00',
   '1970-01-01 00:00:00.001','9999-12-31 23:59:59.999999',NULL,NULL,'1000-01-01','00:00:00','-00:00:00.000001',1901,'d''e','',NULL,'','','','','','','','',NULL`,
];

/** The values of the first row, by what the types mean. */
const FIRST: Record<string, unknown> = {
  id: Buffer.from([1]),
  bi: -9223372036854775808n,
  bu: Buffer.from('00ffffffffffffffff', 'hex'),
  i: -2147483648,
  iu: 4294967295n,
  mu: 16777215,
  ti: -128,
  bo: 1,
  b1: true,
  b10: Buffer.from([2, 1]),
  d: Buffer.from('b669fd2e', 'hex'),
  f: Math.fround(16777217.5),
  db: 1e300,
  dt: BigInt(Date.UTC(2026, 1, 28, 23, 59, 59)),
  dt3: BigInt(Date.UTC(2026, 1, 28, 23, 59, 59, 123)),
  dt6: BigInt(Date.UTC(2026, 1, 28, 23, 59, 59, 123)) * 1000n + 456n,
  ts: BigInt(Date.UTC(2026, 1, 28, 23, 59, 59)) * 1000n,
  ts6: BigInt(Date.UTC(2038, 0, 19, 3, 14, 7, 999)) * 1000n + 999n,
  da: Date.UTC(2026, 1, 28) / 86_400_000,
  tm: -3_020_399_000_000n,
  tm6: 45_296_789_012n,
  yr: 2026,
  en: 'b,c',
  st: 'x,z',
  bl: Buffer.from([0, 255, 16]),
  tx: 'texté😀',
  vc: 'vär😀',
  l1: 'latiné',
  ch: 'ab',
  bn: Buffer.from([0, 1, 255, 0]),
  vb: Buffer.from([0, 255]),
  nul: null,
};

test('snapshot and binlog agree on every type, to the byte', async () => {
  const database = `cdc_types_${suffix()}`;
  const settings = connectionSettings(MYSQL);
  const admin = await sql(MYSQL);
  const connection = await Connection.open(settings);
  let reader: BinlogReader | undefined;
  try {
    await admin.run(`CREATE DATABASE ${database} CHARACTER SET utf8mb4; USE ${database}; CREATE TABLE ty (${COLUMNS})`);
    const server = await describeServer(connection);
    const start = await openSnapshot(settings, server, database);
    start.close();
    for (const row of ROWS) await admin.run(`INSERT INTO ty VALUES (${row})`);

    const items: RowsItem[] = [];
    const errors: Error[] = [];
    reader = new BinlogReader({
      settings,
      flavour: server.flavour,
      serverId: 3_000_000_000 + Math.floor(Math.random() * 1e9),
      database,
      tables: ['ty'],
      from: start.position,
      heartbeatMs: 1_000,
      onItem: (item) => (item.kind === 'rows' ? items.push(item) : undefined),
      onError: (error) => errors.push(error),
    });
    reader.start();
    await until('both rows in the binlog', () => items.length === 2 || errors.length > 0);
    assert.deepEqual(errors, []);

    const info = await readTable(connection, database, 'ty');
    const registered: object[] = [];
    const catalog = new TableCatalog({
      tables: ['ty'],
      subjects: {
        latest: () => Promise.resolve(undefined),
        register: (_subject, schema) => Promise.resolve(registered.push(schema)),
      },
      topicOf: (table) => `bronze.shop.${table}`,
      describe: () => Promise.resolve(info),
    });
    const view = await openSnapshot(settings, server, database);
    const selected: Row[] = [];
    for await (const row of view.rows(info)) selected.push(row);
    view.close();
    assert.equal(selected.length, 2);

    const fromSelect = await catalog.codec('ty', info.columns, signatureOf(info.columns));
    const [first] = items;
    assert.ok(first !== undefined);
    const fromBinlog = await catalog.codec('ty', first.shape, first.signature);
    assert.deepEqual(fromBinlog.valueSchema, fromSelect.valueSchema);
    for (const [index, item] of items.entries()) {
      const [select, binlog] = [selected[index], item.rows[0]?.after];
      assert.ok(select !== undefined && binlog !== undefined && binlog !== null);
      for (const column of fromSelect.columns) {
        const convert = (row: Row): unknown =>
          row[column.name] === null ? null : column.type.convert(row[column.name]);
        assert.deepEqual(convert(binlog), convert(select), `${column.name} of row ${index}`);
      }
    }
    assert.ok(items[0]?.rows[0]?.after);
    const bytes = fromBinlog.value({
      before: null,
      after: items[0].rows[0].after,
      source: SOURCE,
      op: 'c',
      handledAt: 1,
    });
    const decoded = exact(fromBinlog.valueSchema).fromBuffer(bytes.subarray(5)) as { after: Record<string, unknown> };
    for (const [name, expected] of Object.entries(FIRST)) assert.deepEqual(decoded.after[name], expected, name);
  } finally {
    reader?.stop();
    connection.close();
    await admin.run(`DROP DATABASE IF EXISTS ${database}`);
    await admin.end();
  }
});

const SOURCE = { version: '1', connector: 'mariadb', name: 't', ts_ms: 0, snapshot: 'false', db: 's', sequence: null, table: 't', server_id: 1, gtid: null, file: 'f', pos: 0, row: 0, thread: null, query: null } as const; // prettier-ignore

function exact(schema: object): avsc.Type {
  return compile(schema);
}
