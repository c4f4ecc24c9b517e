/** A Chromium for tests in a browser: the machine's own, else Debian's packages unpacked into the cache. Nothing is installed, nobody needs to be root. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { onPath, run } from '../parts/command.ts';
import { type DownloadContext, installOnce } from '../parts/maven.ts';

/** A browser that can be started: its program and what its environment needs besides. */
export interface Chromium {
  readonly executable: string;
  readonly env: Readonly<Record<string, string>>;
}

/** `missing`: why there is none, and what to do; for the name of a test that is left out. */
export type FoundChromium = Chromium | { readonly missing: string };

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const PLACES = ['/usr/bin'];
/** A browser draws no text without a font. */
const PACKAGES = ['chromium', 'fonts-dejavu-core'];
const APT_MS = 120_000;
const DOWNLOAD_MS = 10 * 60_000;
const UNPACK_MS = 120_000;
const HINT = 'install it (Debian: apt-get install chromium) or name one in SLUICE_CHROMIUM';

/** SLUICE_CHROMIUM, else chromium, chromium-browser or google-chrome of this machine, else Debian's (120 MB, once; 400 MB on the disk). */
export async function findChromium(context: DownloadContext = defaultContext()): Promise<FoundChromium> {
  const named = process.env['SLUICE_CHROMIUM'] ?? '';
  if (named !== '') {
    return existsSync(named) ? { executable: named, env: {} } : { missing: `SLUICE_CHROMIUM=${named} is not there` };
  }
  for (const name of NAMES) {
    const executable = onPath(name, PLACES);
    if (executable !== undefined) return { executable, env: {} };
  }
  try {
    return await unpacked(context);
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    return { missing: `${reason}; ${HINT}` };
  }
}

function defaultContext(): DownloadContext {
  return {
    cacheDir: process.env['SLUICE_TEST_CACHE'] ?? join(homedir(), '.cache', 'sluice'),
    progress: () => undefined,
    signal: AbortSignal.timeout(DOWNLOAD_MS + UNPACK_MS + APT_MS),
  };
}

async function unpacked(context: DownloadContext): Promise<Chromium> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const [, id = ''] = /^ID=(\w+)$/m.exec(release) ?? [];
  const [, version = ''] = /^VERSION_ID="?(\d+)"?$/m.exec(release) ?? [];
  if (id !== 'debian' || onPath('apt-get') === undefined || onPath('dpkg') === undefined)
    throw new Error('no Chromium here, and only on Debian it can be fetched');
  const download = { name: `chromium-debian${version}-${process.arch}` };
  const folder = await installOnce(download, context, (target) => fill(target, context));
  const executable = join(folder, 'usr', 'lib', 'chromium', 'chromium');
  if (!existsSync(executable)) throw new Error(`${executable} is not there: delete ${folder}`);
  return { executable, env: await environmentOf(folder) };
}

/** apt with lists of its own: those of the machine may be missing, and only root may fetch them. */
async function fill(folder: string, { progress, signal }: DownloadContext): Promise<void> {
  const work = `${folder}.apt`;
  const debs = join(work, 'debs');
  for (const each of ['lists/partial', 'cache/archives/partial', 'debs'])
    await mkdir(join(work, each), { recursive: true });
  const apt = async (args: readonly string[], timeoutMs: number): Promise<string> => {
    const options = [`Dir::State::Lists=${work}/lists`, `Dir::Cache=${work}/cache`, 'Debug::NoLocking=1'];
    const own = [...options, 'APT::Sandbox::User='].flatMap((option) => ['-o', option]);
    const { code, stdout, output } = await run('apt-get', [...own, ...args], { cwd: debs, signal, timeoutMs });
    if (code !== 0) throw new Error(`apt-get ${args[0]} failed: ${output.trim().split('\n').at(-1) ?? ''}`);
    return stdout;
  };
  progress('asks for the packages of Chromium');
  await apt(['update'], APT_MS);
  const plan = await apt(['install', '--simulate', '--no-install-recommends', ...PACKAGES], APT_MS);
  const names = [...plan.matchAll(/^Inst (\S+)/gm)].map(([, name = '']) => name);
  progress(`downloads Chromium (${names.length} packages)`);
  await apt(['download', ...names], DOWNLOAD_MS);
  for (const deb of await readdir(debs)) {
    const { code, output } = await run('dpkg', ['-x', join(debs, deb), folder], { signal, timeoutMs: UNPACK_MS });
    if (code !== 0) throw new Error(`${deb} cannot be unpacked: ${output.trim()}`);
  }
  await rm(work, { recursive: true, force: true });
}

/** Where its libraries and fonts lie: Debian's own places come last. */
async function environmentOf(folder: string): Promise<Record<string, string>> {
  const libraries = join(folder, 'usr', 'lib');
  const triplets = (await readdir(libraries)).filter((name) => name.endsWith('-linux-gnu'));
  const paths = triplets.flatMap((name) => [join(libraries, name), join(libraries, name, 'pulseaudio')]);
  const inherited = process.env['LD_LIBRARY_PATH'];
  const env = { LD_LIBRARY_PATH: [...paths, ...(inherited === undefined ? [] : [inherited])].join(':') };
  if (existsSync('/etc/fonts/fonts.conf')) return env;
  const fonts = join(folder, 'fonts.conf');
  const dirs = [join(folder, 'usr', 'share', 'fonts'), '/usr/share/fonts'].map((dir) => `<dir>${dir}</dir>`).join('');
  await writeFile(fonts, `<?xml version="1.0"?><fontconfig>${dirs}<cachedir>${folder}/fonts</cachedir></fontconfig>\n`);
  return { ...env, FONTCONFIG_FILE: fonts };
}
