/** Jars by their Maven coordinates, with all they depend on, fetched once into the user's cache. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureBinaries } from './ensure-binary.ts';

const run = promisify(execFile);

const MAVEN_DEADLINE_MS = 10 * 60_000;

const pom = (coordinates: readonly string[]): string => {
  const dependencies = coordinates.map((coordinate) => {
    const [group, artifact, version] = coordinate.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project><modelVersion>4.0.0</modelVersion>
<groupId>kafka-row-sender</groupId><artifactId>jars-for-tests</artifactId><version>1</version>
<dependencies>
${dependencies.join('\n')}
</dependencies></project>
`;
};

/** The class path of the jars; `name` with its version names them in the cache. Throws one clear line when Maven cannot. */
export async function mavenClassPath(name: string, coordinates: readonly string[]): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kafka-row-sender');
  const home = join(cache, name);
  if (!existsSync(home)) await fetchJars(cache, home, name, coordinates);
  return join(home, 'jars', '*');
}

/** Fetches beside the final place and renames, so that parallel runs see either nothing or everything. */
async function fetchJars(cache: string, home: string, name: string, coordinates: readonly string[]): Promise<void> {
  const { mvn } = await ensureBinaries(['mvn']);
  await mkdir(cache, { recursive: true });
  const making = await mkdtemp(join(cache, 'making-'));
  try {
    process.stderr.write(`fetching ${name} by Maven\n`);
    await writeFile(join(making, 'pom.xml'), pom(coordinates));
    const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${join(making, 'jars')}`];
    await run(mvn, ['-q', '-B', '-f', join(making, 'pom.xml'), ...goal], { timeout: MAVEN_DEADLINE_MS });
    await rename(making, home).catch((error: NodeJS.ErrnoException) => {
      // Somebody else was faster: theirs is as good.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } catch (error) {
    const { stdout } = error as { stdout?: string };
    const why = stdout?.split('\n').find((line) => /\[ERROR\] +\S/.test(line)) ?? String(error);
    throw new Error(`Maven could not fetch ${name} (${coordinates.join(', ')}): ${why}`);
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}
