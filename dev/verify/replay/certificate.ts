/** The certificate of a replay: what was compared with live, up to where, by which code, with what result. docs/replay-certificate.schema.json. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { ReplayPlan } from '#topology';
import type { TopicVerdict } from './verify-replay.ts';

/** Which code it was: of git and of the packages. */
export interface CodeVersion {
  /** null outside a git clone. */
  readonly commit: string | null;
  /** True when files differ from the commit; null outside a git clone. */
  readonly modified: boolean | null;
  /** SHA-256 of package-lock.json, hex. */
  readonly lockfile: string | null;
}

const GIT_MS = 5_000;
const run = promisify(execFile);

/** Asks git, and reads the lockfile below `root`. */
export async function codeVersion(root: string): Promise<CodeVersion> {
  const git = async (...args: string[]): Promise<string | null> => {
    const options = { cwd: root, timeout: GIT_MS, maxBuffer: 2 ** 24 };
    return await run('git', args, options).then(
      ({ stdout }) => stdout.trim(),
      () => null,
    );
  };
  const commit = await git('rev-parse', 'HEAD');
  const status = commit === null ? null : await git('status', '--porcelain');
  const lockfile = await readFile(join(root, 'package-lock.json')).then(
    (bytes) => createHash('sha256').update(bytes).digest('hex'),
    () => null,
  );
  return { commit, modified: status === null ? null : status !== '', lockfile };
}

/** A certificate: what docs/replay-certificate.schema.json describes. */
export interface Certificate {
  readonly equal: boolean;
  readonly [field: string]: unknown;
}

/** The certificate as plain JSON: offsets as text, times in ISO 8601, null for "no bound". */
export function certificateOf(
  plan: ReplayPlan,
  verdicts: readonly TopicVerdict[],
  code: CodeVersion,
  at: Date,
): Certificate {
  return {
    version: 1,
    replay: plan.id,
    application: plan.app,
    request: plan.request,
    topologyEpoch: plan.epoch,
    frozenAt: new Date(plan.createdAt).toISOString(),
    verifiedAt: at.toISOString(),
    equal: verdicts.every(({ equal }) => equal !== false) && verdicts.some(({ equal }) => equal === true),
    code,
    inputs: plan.inputs.map(({ topic, partition, start, end, endClock }) => ({
      topic,
      partition,
      start: String(start),
      end: String(end),
      clockAtEnd: instant(endClock),
    })),
    topics: verdicts.map(({ comparison, lower, upper, ...verdict }) => ({
      ...verdict,
      horizon: { lower: instant(lower), upper: upper === 'all' ? 'all' : instant(upper) },
      ...(comparison === undefined ? {} : { rows: comparison }),
    })),
  };
}

/** Writes it so that a reader sees all of it or nothing. */
export async function writeCertificate(file: string, certificate: object): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, `${JSON.stringify(certificate, null, 2)}\n`);
  await rename(temporary, file);
}

const instant = (ms: number): string | null => (Number.isFinite(ms) ? new Date(ms).toISOString() : null);
