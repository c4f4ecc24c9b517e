import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectorError, RetriableError, TaskMigratedError } from '#topology';
import { isDataError, postgresError } from '../../../connectors/postgres/failure.ts';

const server = (code: string): Error => Object.assign(new Error(`server says ${code}`), { code, severity: 'ERROR' });
const network = (code: string, message = `connect ${code}`): Error =>
  Object.assign(new Error(message), { code, errno: -1 });

test('what passes by itself is retriable, whoever says it', () => {
  const codes = [
    '08006',
    '53300',
    '53100',
    '57P01',
    '57P03',
    '57014',
    '58030',
    '40001',
    '40P01',
    '55P03',
    '25P03',
    '25006',
    '26000',
  ];
  const passing = [
    ...codes.map(server),
    ...['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'ENOTFOUND'].map((code) => network(code)),
    new Error('Connection terminated unexpectedly'),
    new Error('timeout exceeded when trying to connect'),
    new Error('Query read timeout'),
    new AggregateError([network('ECONNREFUSED')], ''),
  ];
  for (const error of passing) {
    const result = postgresError(error, 'host:1/db');
    assert.ok(result instanceof RetriableError, String(error));
    assert.equal(result.code, 'SLC_POSTGRES_AWAY');
  }
});

test('what needs a person says so', () => {
  for (const [code, mine] of [
    ['28P01', 'SLC_POSTGRES_ACCESS'],
    ['3D000', 'SLC_POSTGRES_ACCESS'],
    ['42P01', 'SLC_POSTGRES_SCHEMA'],
    ['42703', 'SLC_POSTGRES_SCHEMA'],
    ['42501', 'SLC_POSTGRES_SCHEMA'],
  ] as const) {
    const result = postgresError(server(code), 'host:1/db');
    assert.ok(result instanceof ConnectorError);
    assert.equal(result.code, mine);
  }
});

test('data exceptions, constraints and limits are the fault of a record; a network error with five letters is not the server', () => {
  assert.ok(['22021', '22003', '23502', '23514', '54000'].every((code) => isDataError(server(code))));
  assert.ok(!isDataError(server('40001')) && !isDataError(network('EPIPE')) && !isDataError(undefined));
});

test("the engine's own errors and bugs pass through", () => {
  for (const error of [new TaskMigratedError('SLC_TASK_MIGRATED', 'x'), new TypeError('x')]) {
    assert.equal(postgresError(error, 'host:1/db'), error);
  }
});
