/**
 * Errors: the class says what the engine does next, the code what happened, the hint how to fix it.
 * docs/ERRORS.md has one heading per code; test/docs-errors.test.ts compares both ways.
 */

/** What every error of Sluice carries. `retriable` = the same call may succeed later. */
export interface ErrorDetail {
  readonly hint?: string;
  readonly where?: string;
  readonly cause?: unknown;
}

/** Base of all errors of Sluice. Match on `code`, never on the message. */
export class SluiceError extends Error {
  override name = 'SluiceError';
  readonly code: string;
  readonly hint: string | undefined;
  readonly where: string | undefined;
  readonly retriable: boolean = false;

  constructor(code: string, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.hint = detail.hint;
    this.where = detail.where;
  }
}

/** Wrong configuration: refuse to start, exit code 2. Codes SLC_CONFIG_*. */
export class ConfigError extends SluiceError {
  override name = 'ConfigError';
}

/** A topology that cannot be built: refuse to start, exit code 2. Codes SLC_TOPOLOGY_*. */
export class TopologyError extends SluiceError {
  override name = 'TopologyError';
}

/** One record cannot be processed: it goes to the dead-letter topic, the stage goes on. Codes SLC_RECORD_*. */
export class RecordError extends SluiceError {
  override name = 'RecordError';
}

/** Network, broker or target away: bounded backoff with jitter, then again. Codes SLC_BROKER_*, SLC_CONNECTOR_*. */
export class RetriableError extends SluiceError {
  override name = 'RetriableError';
  override readonly retriable = true;
}

/** Fenced or no longer a member: close dirty, drop the transaction, take the slot again if it is still ours. Code SLC_TASK_MIGRATED. */
export class TaskMigratedError extends SluiceError {
  override name = 'TaskMigratedError';
}

/** A store does not fit its changelog: wipe it and restore. Code SLC_TASK_CORRUPTED. */
export class TaskCorruptedError extends SluiceError {
  override name = 'TaskCorruptedError';
}

/** A connector cannot go on without a person (schema changed, access refused): that connector stops, others go on. Codes SLC_CONNECTOR_*. */
export class ConnectorError extends SluiceError {
  override name = 'ConnectorError';
}

/** An invariant of the engine is broken: stop the process, nothing is committed. Codes SLC_BUG_*. */
export class InvariantError extends SluiceError {
  override name = 'InvariantError';
}

/**
 * A value cannot be read yet because something must be fetched first (a writer schema). Wait for `ready`, then do the same call again.
 * Never a dead letter.
 */
export class NotReadyError extends SluiceError {
  override name = 'NotReadyError';
  readonly ready: Promise<void>;
  constructor(message: string, ready: Promise<void>) {
    super('SLC_RECORD_NOT_READY', message);
    this.ready = ready;
  }
}
