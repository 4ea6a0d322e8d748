/** Kafka's jars, and the Java to run them. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ensureBinaries } from './ensure-binary.ts';
import { mavenClassPath } from './maven-jars.ts';

const run = promisify(execFile);

/** Another version for a whole run: KRS_TEST_KAFKA_VERSION. */
export const KAFKA_VERSION = process.env.KRS_TEST_KAFKA_VERSION ?? '4.3.1';
const JAVA_VERSION_MIN = 17;
const JAVA_DEADLINE_MS = 30_000;

/** slf4j-simple of the same version as Kafka's slf4j-api: with another one, Kafka logs nothing at all. */
const dependenciesOf = (version: string): string[] => [
  `org.apache.kafka:kafka_2.13:${version}`,
  `org.apache.kafka:kafka-tools:${version}`,
  'org.slf4j:slf4j-simple:1.7.36',
];

export interface KafkaInstallation {
  readonly java: string;
  readonly classPath: string;
}

/** Throws one clear line when Java 17 or Maven is missing and cannot be installed here. */
export async function kafkaInstallation(version = KAFKA_VERSION): Promise<KafkaInstallation> {
  const { java } = await ensureBinaries(['java']);
  await checkJava(java);
  return { java, classPath: await mavenClassPath(`kafka-${version}`, dependenciesOf(version)) };
}

async function checkJava(java: string): Promise<void> {
  const { stderr } = await run(java, ['-version'], { timeout: JAVA_DEADLINE_MS });
  const version = Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
  if (version >= JAVA_VERSION_MIN) return;
  throw new Error(
    `Kafka ${KAFKA_VERSION} needs Java ${JAVA_VERSION_MIN}, ${java} is ${version}: install openjdk-17-jre-headless, or give a broker by KRS_TEST_KAFKA`,
  );
}
