/** Apicurio's schema registry, in memory, with its Confluent-compatible interface, as a server process of our own. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureBinaries } from './ensure-binary.ts';
import { freePort } from './free-port.ts';
import { startInFolder } from './start-in-folder.ts';

const run = promisify(execFile);

/** The last line that runs on Java 17. */
const APICURIO_VERSION = '2.6.13.Final';
const MAVEN_DEADLINE_MS = 10 * 60_000;
const READY_DEADLINE_MS = 90_000;

export interface RegistryServer {
  /** Base of the Confluent-compatible interface. */
  readonly url: string;
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

/** Unpacks beside the final place and renames, so that parallel runs see either nothing or everything. */
async function unpack(home: string, cache: string): Promise<void> {
  const { mvn } = await ensureBinaries(['mvn']);
  await mkdir(cache, { recursive: true });
  const making = await mkdtemp(join(cache, 'making-'));
  const artifact = `io.apicurio:apicurio-registry-app:${APICURIO_VERSION}:tar.gz:all`;
  try {
    process.stderr.write(`fetching Apicurio Registry ${APICURIO_VERSION} by Maven\n`);
    const goal = ['dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${making}`];
    await run(mvn, ['-q', '-B', ...goal], { timeout: MAVEN_DEADLINE_MS });
    const file = (await readdir(making)).find((name) => name.endsWith('.tar.gz')) ?? '';
    await run('tar', ['xzf', join(making, file), '-C', making], { timeout: MAVEN_DEADLINE_MS });
    await rm(join(making, file));
    await rename(making, home).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } catch (error) {
    throw new Error(
      `Maven could not fetch ${artifact}: ${error instanceof Error ? error.message.slice(0, 500) : error}`,
    );
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}

/** Throws one clear line when Java or the archive cannot be had. */
export async function startRegistry(): Promise<RegistryServer> {
  const { java } = await ensureBinaries(['java']);
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kafka-row-sender');
  const home = join(cache, `apicurio-${APICURIO_VERSION}`);
  if (!existsSync(home)) await unpack(home, cache);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  const server = await startInFolder({
    name: 'registry',
    plan: () => ({
      name: 'apicurio',
      binary: java,
      args: [
        ...['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
        ...[`-Dquarkus.http.port=${port}`, '-Dquarkus.http.host=127.0.0.1', '-Dquarkus.log.level=WARN'],
        ...['-jar', join(home, `apicurio-registry-app-${APICURIO_VERSION}-runner.jar`)],
      ],
      log: 'registry.log',
      probe: async () => {
        const answer = await fetch(`${url}/subjects`, { signal: AbortSignal.timeout(5_000) });
        if (!answer.ok) throw new Error(`the registry answers ${answer.status}`);
      },
      readyDeadlineMs: READY_DEADLINE_MS,
    }),
  });
  return Object.assign(server, { url });
}
