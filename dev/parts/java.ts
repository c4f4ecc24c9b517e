import { existsSync } from 'node:fs';
import path from 'node:path';
import { run } from './command.ts';

/** A Java of this machine. */
export interface Java {
  readonly major: number;
  /** All that it says of itself: differs between any two builds. */
  readonly text: string;
}

/** Java of JAVA_HOME, else of the PATH. */
export function javaCommand(): string {
  const home = process.env['JAVA_HOME'];
  const ofHome = home === undefined || home === '' ? undefined : path.join(home, 'bin', 'java');
  return ofHome !== undefined && existsSync(ofHome) ? ofHome : 'java';
}

/** Undefined when there is none. */
export async function findJava(): Promise<Java | undefined> {
  const { code, output } = await run(javaCommand(), ['-version']);
  const version = /version "(?:1\.)?(\d+)/.exec(output)?.[1];
  return code === 0 && version !== undefined ? { major: Number(version), text: output } : undefined;
}
