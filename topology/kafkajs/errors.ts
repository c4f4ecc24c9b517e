import { ConfigError, RetriableError, SluiceError, TaskMigratedError } from '../errors.ts';

interface KafkajsError extends Error {
  readonly type?: string;
  readonly code?: string | number;
  readonly cause?: unknown;
}

const FENCED = new Set([
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
  'TRANSACTION_COORDINATOR_FENCED',
  'INVALID_PRODUCER_ID_MAPPING',
  'INVALID_TXN_STATE',
  'UNKNOWN_PRODUCER_ID',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
]);

const REFUSED = new Set([
  'INVALID_CONFIG',
  'INVALID_REPLICATION_FACTOR',
  'INVALID_PARTITIONS',
  'INVALID_TOPIC_EXCEPTION',
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_VERSION',
  'INVALID_TRANSACTION_TIMEOUT',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
]);

/** The protocol error in an error of kafkajs, or the error itself: "number of retries exceeded" says nothing. */
export function rootOf(error: unknown): KafkajsError {
  let root = error as KafkajsError;
  while (root.type === undefined && root.cause instanceof Error) root = root.cause;
  return root;
}

/** An error of kafkajs as the port promises it. `doing` is a gerund: 'fetching silver.users-3'. */
export function portError(error: unknown, doing: string): SluiceError {
  if (error instanceof SluiceError) return error;
  const root = rootOf(error);
  const message = `${doing}: ${root.message}`;
  if (root.type !== undefined && FENCED.has(root.type)) {
    return new TaskMigratedError('SLC_TASK_MIGRATED', message, { cause: error });
  }
  if (root.message.startsWith('Transaction state exception')) {
    return new TaskMigratedError('SLC_TASK_MIGRATED', message, { cause: error });
  }
  if (root.type !== undefined && REFUSED.has(root.type)) {
    return new ConfigError('SLC_BROKER_REFUSED', message, {
      cause: error,
      hint: 'the broker will not do this however often it is asked',
    });
  }
  return new RetriableError('SLC_BROKER_AWAY', message, {
    cause: error,
    hint: 'is the broker up, and the address right?',
  });
}

/** Runs a call of kafkajs; what it throws becomes the port's error. */
export async function asPort<T>(doing: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw portError(error, doing);
  }
}
