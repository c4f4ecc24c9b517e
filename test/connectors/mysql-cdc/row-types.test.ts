import assert from 'node:assert/strict';
import { test } from 'node:test';
import { columnType, dateTimeMillis } from '../../../connectors/mysql-cdc/row-types.ts';

const convert = (type: string, value: unknown): unknown => columnType(type, 't.c').convert(value);
const avro = (type: string): unknown => columnType(type, 't.c').avro;

function decimalOf(bytes: unknown): bigint {
  assert.ok(Buffer.isBuffer(bytes));
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`));
}

test('every column type has the Avro type that the shop reads', () => {
  assert.equal(avro('int(10) unsigned'), 'long');
  assert.equal(avro('int(11)'), 'int');
  assert.equal(avro('bigint(20)'), 'long');
  assert.equal(avro('tinyint(1)'), 'int');
  assert.equal(avro('mediumint unsigned'), 'int');
  assert.deepEqual(avro('bigint(20) unsigned'), { type: 'bytes', logicalType: 'decimal', precision: 20, scale: 0 });
  assert.deepEqual(avro('decimal(10,2)'), { type: 'bytes', logicalType: 'decimal', precision: 10, scale: 2 });
  assert.deepEqual(avro('date'), { type: 'int', logicalType: 'date' });
  assert.deepEqual(avro('datetime(3)'), { type: 'long', logicalType: 'timestamp-millis' });
  assert.deepEqual(avro('datetime(6)'), { type: 'long', logicalType: 'local-timestamp-micros' });
  assert.deepEqual(avro('timestamp'), { type: 'long', logicalType: 'timestamp-micros' });
  assert.equal(avro("enum('a','b,c')"), 'string');
  assert.equal(avro('longtext'), 'string');
  assert.equal(avro('bit(1)'), 'boolean');
  assert.equal(avro('bit(64)'), 'bytes');
  assert.equal(avro('varbinary(10)'), 'bytes');
});

test('a type that cannot be captured is refused by name', () => {
  assert.throws(() => columnType('geometry', 'shops.place'), {
    code: 'SLC_CDC_TYPE',
    message: /shops\.place.*geometry/,
  });
});

test('integers beyond 2^53 stay exact', () => {
  assert.equal(convert('bigint(20)', 42), 42);
  assert.equal(convert('bigint(20)', '9007199254740993'), 9007199254740993n);
  assert.equal(convert('bigint(20)', '-9223372036854775808'), -9223372036854775808n);
  assert.equal(decimalOf(convert('bigint(20) unsigned', '18446744073709551615')), 18446744073709551615n);
});

test('decimals are unscaled two’s complement, as short as possible', () => {
  assert.deepEqual(convert('decimal(10,2)', '0.00'), Buffer.from([0]));
  assert.deepEqual(convert('decimal(10,2)', '1.27'), Buffer.from([127]));
  assert.deepEqual(convert('decimal(10,2)', '1.28'), Buffer.from([0, 128]));
  assert.deepEqual(convert('decimal(10,2)', '-1.28'), Buffer.from([128]));
  const wide = '1234567890123456789012345678.0123456789';
  assert.equal(decimalOf(convert('decimal(38,10)', wide)), BigInt(wide.replace('.', '')));
  assert.equal(decimalOf(convert('decimal(38,10)', `-${wide}`)), -BigInt(wide.replace('.', '')));
  assert.equal(decimalOf(convert('decimal(5,0)', '-99999')), -99999n);
});

test('dates and times', () => {
  assert.equal(convert('date', '1970-01-02'), 1);
  assert.equal(convert('date', '1000-01-01'), Date.UTC(1000, 0, 1) / 86_400_000);
  assert.equal(convert('date', '0001-01-01'), -719162);
  assert.equal(convert('date', '0000-00-00'), null);
  assert.equal(convert('datetime(3)', '2026-02-28 23:59:59.123'), Date.UTC(2026, 1, 28, 23, 59, 59, 123));
  assert.equal(convert('datetime', '2026-02-28 23:59:59'), Date.UTC(2026, 1, 28, 23, 59, 59));
  assert.equal(convert('datetime(6)', '9999-12-31 23:59:59.999999'), 253402300799999999n);
  assert.equal(convert('timestamp(6)', '1969-12-31 23:59:59.000001'), -999999n);
  assert.equal(convert('time(6)', '-838:59:59.000001'), -(838 * 3600 + 59 * 60 + 59) * 1_000_000 - 1);
  assert.equal(convert('time(6)', '-00:00:00.000001'), -1);
  assert.equal(dateTimeMillis('2026-01-01 00:00:00.5'), Date.UTC(2026, 0, 1) + 500);
});

test('bits, bytes, text and addresses', () => {
  assert.equal(convert('bit(1)', Buffer.from([1])), true);
  assert.equal(convert('bit(1)', Buffer.from([0])), false);
  assert.deepEqual(convert('bit(10)', Buffer.from([2, 1])), Buffer.from([2, 1]));
  assert.equal(convert('json', { a: 1 }), '{"a":1}');
  assert.equal(
    convert('uuid', Buffer.from('00112233445566778899aabbccddeeff', 'hex')),
    '00112233-4455-6677-8899-aabbccddeeff',
  );
  assert.equal(convert('inet4', Buffer.from([127, 0, 0, 1])), '127.0.0.1');
  assert.equal(convert('inet6', Buffer.from('20010db8000000000000000000000001', 'hex')), '2001:db8::1');
});

test('what is no value of the column is refused, not guessed', () => {
  assert.throws(() => convert('decimal(10,2)', '1e3'), { code: 'SLC_RECORD_ENCODE' });
  assert.throws(() => convert('bigint', 1.5), { code: 'SLC_RECORD_ENCODE' });
  assert.throws(() => convert('datetime', 'yesterday'), { code: 'SLC_RECORD_ENCODE' });
});
