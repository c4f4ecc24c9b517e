/** Something that waiting does not repair. Everything else is tried again. */
export class SimulatorError extends Error {
  override name = 'SimulatorError';
  readonly code: string;
  readonly hint: string;

  constructor(code: string, message: string, hint: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = hint;
  }
}
