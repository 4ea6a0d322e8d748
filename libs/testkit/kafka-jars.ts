/** Kafka's jars by their Maven coordinates, fetched once into the user's cache. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureBinaries } from './ensure-binary.ts';

const run = promisify(execFile);

/** Another version for a whole run: KRS_TEST_KAFKA_VERSION. */
export const KAFKA_VERSION = process.env.KRS_TEST_KAFKA_VERSION ?? '4.3.1';
const JAVA_VERSION_MIN = 17;
const MAVEN_DEADLINE_MS = 10 * 60_000;
const JAVA_DEADLINE_MS = 30_000;

/** slf4j-simple of the same version as Kafka's slf4j-api: with another one, Kafka logs nothing at all. */
const dependenciesOf = (version: string): string[] => [
  `org.apache.kafka:kafka_2.13:${version}`,
  `org.apache.kafka:kafka-tools:${version}`,
  'org.slf4j:slf4j-simple:1.7.36',
];

const pom = (kafkaVersion: string): string => {
  const dependencies = dependenciesOf(kafkaVersion).map((coordinate) => {
    const [group, artifact, version] = coordinate.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project><modelVersion>4.0.0</modelVersion>
<groupId>kafka-row-sender</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
<dependencies>
${dependencies.join('\n')}
</dependencies></project>
`;
};

export interface KafkaInstallation {
  readonly java: string;
  readonly classPath: string;
}

/** Throws one clear line when Java 17 or Maven is missing and cannot be installed here. */
export async function kafkaInstallation(version = KAFKA_VERSION): Promise<KafkaInstallation> {
  const { java } = await ensureBinaries(['java']);
  await checkJava(java);
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kafka-row-sender');
  const home = join(cache, `kafka-${version}`);
  if (!existsSync(home)) await fetchJars(cache, home, version);
  return { java, classPath: join(home, 'jars', '*') };
}

async function checkJava(java: string): Promise<void> {
  const { stderr } = await run(java, ['-version'], { timeout: JAVA_DEADLINE_MS });
  const version = Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
  if (version >= JAVA_VERSION_MIN) return;
  throw new Error(
    `Kafka ${KAFKA_VERSION} needs Java ${JAVA_VERSION_MIN}, ${java} is ${version}: install openjdk-17-jre-headless, or give a broker by KRS_TEST_KAFKA`,
  );
}

/** Fetches beside the final place and renames, so that parallel runs see either nothing or everything. */
async function fetchJars(cache: string, home: string, version: string): Promise<void> {
  const { mvn } = await ensureBinaries(['mvn']);
  await mkdir(cache, { recursive: true });
  const making = await mkdtemp(join(cache, 'making-'));
  try {
    process.stderr.write(`fetching Kafka ${version} by Maven\n`);
    await writeFile(join(making, 'pom.xml'), pom(version));
    const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${join(making, 'jars')}`];
    await run(mvn, ['-q', '-B', '-f', join(making, 'pom.xml'), ...goal], { timeout: MAVEN_DEADLINE_MS });
    await rename(making, home).catch((error: NodeJS.ErrnoException) => {
      // Somebody else was faster: theirs is as good.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } catch (error) {
    const { stdout } = error as { stdout?: string };
    const why = stdout?.split('\n').find((line) => /\[ERROR\] +\S/.test(line)) ?? String(error);
    throw new Error(`Maven could not fetch Kafka ${version}: ${why}`);
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}
