import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingsError } from '../../../connectors/mysql-cdc/preflight.ts';
import type { Flavour } from '../../../connectors/mysql-cdc/server.ts';

const GOOD = {
  log_bin: 'ON',
  binlog_format: 'ROW',
  binlog_row_image: 'FULL',
  binlog_row_metadata: 'FULL',
  gtid_mode: 'ON',
  binlog_transaction_compression: 'OFF',
  binlog_row_value_options: '',
};

function check(flavour: Flavour, change: Record<string, string | undefined>) {
  const entries = Object.entries({ ...GOOD, ...change }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return settingsError({ flavour, version: '1', variables: new Map(entries) }, 'db:3306');
}

test('a server that is set right passes', () => {
  assert.equal(check('mysql', {}), undefined);
  assert.equal(check('mariadb', { gtid_mode: undefined }), undefined);
});

for (const [flavour, change, code, repair] of [
  ['mariadb', { log_bin: 'OFF' }, 'SLC_CDC_BINLOG_OFF', /--log-bin/],
  ['mariadb', { binlog_format: 'MIXED' }, 'SLC_CDC_BINLOG_FORMAT', /SET GLOBAL binlog_format = 'ROW'/],
  ['mariadb', { binlog_row_image: 'MINIMAL' }, 'SLC_CDC_ROW_IMAGE', /SET GLOBAL binlog_row_image = 'FULL'/],
  ['mariadb', { binlog_row_image: 'FULL_NODUP' }, 'SLC_CDC_ROW_IMAGE', /SET GLOBAL binlog_row_image = 'FULL'/],
  ['mariadb', { binlog_row_metadata: 'NO_LOG' }, 'SLC_CDC_ROW_METADATA', /SET GLOBAL binlog_row_metadata = FULL/],
  ['mysql', { binlog_row_metadata: undefined }, 'SLC_CDC_ROW_METADATA', /SET GLOBAL binlog_row_metadata = FULL/],
  ['mysql', { gtid_mode: 'OFF' }, 'SLC_CDC_GTID_OFF', /SET GLOBAL gtid_mode = 'ON'/],
  [
    'mysql',
    { binlog_transaction_compression: 'ON' },
    'SLC_CDC_TRX_COMPRESSION',
    /SET GLOBAL binlog_transaction_compression = OFF/,
  ],
  [
    'mysql',
    { binlog_row_value_options: 'PARTIAL_JSON' },
    'SLC_CDC_PARTIAL_JSON',
    /SET GLOBAL binlog_row_value_options = ''/,
  ],
] as const) {
  test(`${flavour} with ${JSON.stringify(change)} is refused with the statement that repairs it`, () => {
    const error = check(flavour, change);
    assert.equal(error?.code, code);
    assert.match(error?.hint ?? '', repair);
    assert.equal(error?.name, 'ConfigError');
  });
}
