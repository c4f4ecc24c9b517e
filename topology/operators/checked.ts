import type { OperatorFunction } from 'rxjs';
import { defineOperator } from '../dsl/define-operator.ts';
import type { Contract } from '../dsl/contract.ts';
import { RecordError } from '../errors.ts';
import type { StreamRecord } from '../record.ts';

/**
 * Lets rows pass that keep the contract, and tombstones. Any other goes to the stage's dead-letter topic with all that is wrong with it: RecordError
 * SLC_RECORD_CONTRACT. Last before `to`.
 */
export function checked<K, V extends object, R extends V | null>(
  contract: Contract<V>,
): OperatorFunction<StreamRecord<K, R>, StreamRecord<K, R>> {
  return defineOperator({
    spec: { kind: 'checked', detail: contract.topic, contract },
    create: (_context, emit) => ({
      process: (record) => {
        if (record.value !== null) check(contract, record.value);
        emit(record);
      },
    }),
  });
}

function check<V>({ topic, checks }: Contract<V>, row: V): void {
  for (const each of checks) {
    if (each.problem(row) === undefined) continue;
    const problems = checks.flatMap((one) => one.problem(row) ?? []);
    throw new RecordError('SLC_RECORD_CONTRACT', `${topic}: ${problems.join('; ')}`, {
      hint: 'the contract (docs/DATA.md) says what a row of the topic is: mend the stage or what it reads, then: sluice dlq retry',
    });
  }
}
