/** Kafka Connect, a standalone worker with one of Debezium's connectors, as a server process of our own. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureBinaries } from './ensure-binary.ts';
import { freePort } from './free-port.ts';
import { KAFKA_VERSION } from './kafka-jars.ts';
import { mavenClassPath } from './maven-jars.ts';
import { startInFolder } from './start-in-folder.ts';

export const DEBEZIUM_VERSION = '3.5.0.Final';

const READY_DEADLINE_MS = 60_000;
const ANSWER_DEADLINE_MS = 15_000;
const HEAP_MB = 320;
const WORKER = 'worker.properties';
const LOG = 'connect.log';

export interface ConnectOptions {
  readonly bootstrap: string;
  /** A properties file of the worker; its servers, port and folder are replaced. */
  readonly workerFile: string;
  /** Which of Debezium's connectors it has. */
  readonly connector: 'mariadb' | 'mysql';
}

export interface ConnectServer {
  /** Makes a connector of the configuration as its REST interface takes it. */
  create(connector: { readonly name: string; readonly config: Readonly<Record<string, string>> }): Promise<void>;
  /** `RUNNING` when connector and tasks run; the trace where one has failed. */
  state(name: string): Promise<string>;
  /** The end of the worker's log. */
  log(): Promise<string>;
  stop(): Promise<void>;
}

interface ConnectorStatus {
  readonly connector: { readonly state: string; readonly trace?: string };
  readonly tasks: readonly { readonly state: string; readonly trace?: string }[];
}

const classPath = (connector: ConnectOptions['connector']): Promise<string> =>
  mavenClassPath(`debezium-${connector}-${DEBEZIUM_VERSION}-kafka-${KAFKA_VERSION}`, [
    `io.debezium:debezium-connector-${connector}:${DEBEZIUM_VERSION}`,
    `org.apache.kafka:connect-runtime:${KAFKA_VERSION}`,
    'org.slf4j:slf4j-simple:1.7.36',
  ]);

/** Throws one clear line when Java or the jars cannot be had. */
export async function startConnect({ bootstrap, workerFile, connector }: ConnectOptions): Promise<ConnectServer> {
  const { java } = await ensureBinaries(['java']);
  const jars = await classPath(connector);
  const port = await freePort();
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${port}${path}`, { ...init, signal: AbortSignal.timeout(ANSWER_DEADLINE_MS) });
  const logging = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-XX:TieredStopAtLevel=1'];
  let logFile = '';
  const server = await startInFolder({
    name: 'connect',
    prepare: async (dir) => {
      const own = {
        'bootstrap.servers': bootstrap,
        listeners: `http://127.0.0.1:${port}`,
        'offset.storage.file.filename': join(dir, 'offsets'),
      };
      await writeFile(join(dir, WORKER), replaceProperties(await readFile(workerFile, 'utf8'), own));
    },
    plan: (dir) => {
      logFile = join(dir, LOG);
      return {
        name: 'kafka connect',
        binary: java,
        args: [
          ...[`-Xmx${HEAP_MB}m`, '-XX:+UseSerialGC', ...logging, '-cp', jars],
          ...['org.apache.kafka.connect.cli.ConnectStandalone', join(dir, WORKER)],
        ],
        log: LOG,
        probe: async () => {
          const answer = await ask('/connectors');
          if (!answer.ok) throw new Error(`kafka connect answers ${answer.status}`);
        },
        readyDeadlineMs: READY_DEADLINE_MS,
      };
    },
  });
  return {
    create: async (configuration) => {
      const headers = { 'content-type': 'application/json' };
      const answer = await ask('/connectors', { method: 'POST', headers, body: JSON.stringify(configuration) });
      if (!answer.ok) throw new Error(`the connector is refused with ${answer.status}: ${await answer.text()}`);
    },
    state: async (name) => {
      const answer = await ask(`/connectors/${name}/status`);
      if (!answer.ok) return `${answer.status}`;
      const { connector, tasks } = (await answer.json()) as ConnectorStatus;
      const parts = [connector, ...tasks];
      const failed = parts.find(({ trace }) => trace !== undefined);
      if (failed) return failed.trace as string;
      return tasks.length > 0 && parts.every(({ state }) => state === 'RUNNING') ? 'RUNNING' : connector.state;
    },
    log: async () => (await readFile(logFile, 'utf8')).slice(-4_000),
    stop: () => server.stop(),
  };
}

function replaceProperties(text: string, own: Readonly<Record<string, string>>): string {
  const kept = text.split('\n').filter((line) => !Object.keys(own).some((name) => line.startsWith(`${name}=`)));
  return [...kept, ...Object.entries(own).map(([name, value]) => `${name}=${value}`), ''].join('\n');
}
