/** Where the engine and the connectors say what happens. Structurally a pino logger; fields never hold secrets or records' values. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
