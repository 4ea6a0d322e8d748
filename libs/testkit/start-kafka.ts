/** Kafka in KRaft mode on free loopback ports: one node, or three with replicated topics. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { type KafkaInstallation, kafkaInstallation } from './kafka-jars.ts';
import { type KafkaListener, type KafkaNode, type KafkaNodeCount, kafkaProperties } from './kafka-properties.ts';
import { serverFolder } from './server-folder.ts';
import { type ServerControl, ServerProcess } from './server-process.ts';
import { controlOf } from './start-in-folder.ts';
import { answersKafka, warmUpKafka } from './warm-up-kafka.ts';

const run = promisify(execFile);

export interface KafkaServer extends ServerControl {
  /** `host:port`, comma-separated for three nodes. */
  readonly bootstrap: string;
  /** One by one, for drills on single brokers. */
  readonly nodes: readonly ServerControl[];
  readonly pids: readonly number[];
}

export interface KafkaOptions {
  readonly nodes?: KafkaNodeCount;
  /** Such as `3.9.1`; the newest we know unless given. */
  readonly version?: string;
  /** Ports of the brokers, one for each node. */
  readonly ports?: readonly number[];
  /** What the brokers tell clients to connect to, such as a proxy's ports; the brokers' own unless given. */
  readonly advertisedPorts?: readonly number[];
  /** Ports of a second listener, LOGIN, that asks for a login; how is for `properties` to say. None unless given. */
  readonly loginPorts?: readonly number[];
  /** More listeners of the first node; how their clients log in is for `properties` to say. */
  readonly listeners?: readonly KafkaListener[];
  readonly dir?: string;
  /** Stays when this process ends. */
  readonly detached?: boolean;
  readonly heapMb?: number;
  /** Broker settings over the usual ones. */
  readonly properties?: Readonly<Record<string, string | number | boolean>>;
  /** More environment for the brokers. */
  readonly env?: Readonly<Record<string, string>>;
}

const HOST = '127.0.0.1';
const HEAP_MB = 512;
const FORMAT_DEADLINE_MS = 60_000;
const READY_DEADLINE_MS = 120_000;

const LOGGING = [
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
];

export async function startKafka(options: KafkaOptions = {}): Promise<KafkaServer> {
  const installation = await kafkaInstallation(options.version);
  const count = options.nodes ?? 1;
  const folder = await serverFolder('kafka', options.dir);
  const nodes = await planNodes(count, folder.dir, options);
  const servers = nodes.map((node) => nodeProcess(node, installation, options));
  const bootstrap = nodes.map(({ port }) => `${HOST}:${port}`).join(',');
  const startAll = async () => {
    await Promise.all(servers.map((server) => (server.running ? undefined : server.launch())));
    await Promise.all(servers.map((server) => server.ready()));
    if (options.advertisedPorts === undefined) await warmUpKafka(bootstrap, count, READY_DEADLINE_MS);
  };
  const each = (act: (server: ServerProcess) => Promise<void>) => Promise.all(servers.map(act)).then(() => undefined);
  const dispose = async () => {
    await each((server) => server.kill());
    await folder.dispose();
  };
  try {
    await formatStorage(nodes, installation, options);
    await startAll();
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    bootstrap,
    nodes: servers.map(controlOf),
    get pids() {
      return servers.map((server) => server.pid);
    },
    kill: () => each((server) => server.kill()),
    pause: () => servers.forEach((server) => void server.signal('SIGSTOP')),
    resume: () => servers.forEach((server) => void server.signal('SIGCONT')),
    restart: async () => {
      await each((server) => server.terminate());
      await startAll();
    },
    stop: async () => {
      if (!folder.temporary) await each((server) => server.terminate());
      await dispose();
    },
  };
}

async function planNodes(count: KafkaNodeCount, dir: string, options: KafkaOptions): Promise<readonly KafkaNode[]> {
  const ids = Array.from({ length: count }, (_, index) => index + 1);
  const ports = options.ports ?? (await Promise.all(ids.map(() => freePort())));
  const controllerPorts = await Promise.all(ids.map(() => freePort()));
  return ids.map((id, index) => ({
    id,
    host: HOST,
    port: ports[index] as number,
    controllerPort: controllerPorts[index] as number,
    advertisedPort: options.advertisedPorts?.[index] ?? (ports[index] as number),
    loginPort: options.loginPorts?.[index] ?? null,
    more: index === 0 ? (options.listeners ?? []) : [],
    dir: join(dir, `node-${id}`),
  }));
}

function nodeProcess(node: KafkaNode, installation: KafkaInstallation, options: KafkaOptions): ServerProcess {
  const heap = `${options.heapMb ?? HEAP_MB}m`;
  const flags = [`-Xmx${heap}`, '-XX:+UseSerialGC', ...LOGGING, '-cp', installation.classPath];
  return new ServerProcess({
    name: `kafka node ${node.id}`,
    binary: installation.java,
    args: [...flags, 'kafka.Kafka', propertiesFile(node)],
    dir: node.dir,
    logFile: join(node.dir, 'kafka.log'),
    probe: () => answersKafka(node.host, node.port),
    readyDeadlineMs: READY_DEADLINE_MS,
    detached: options.detached ?? false,
    env: options.env ?? {},
  });
}

const propertiesFile = (node: KafkaNode): string => join(node.dir, 'server.properties');

/** Writes each node's settings, and formats the data folders that are not yet. */
async function formatStorage(
  nodes: readonly KafkaNode[],
  installation: KafkaInstallation,
  options: KafkaOptions,
): Promise<void> {
  // With the first byte zero it begins with A: the storage tool takes an id that begins with - for an option.
  const clusterId = randomBytes(16).fill(0, 0, 1).toString('base64url');
  const format = async (node: KafkaNode) => {
    await mkdir(node.dir, { recursive: true });
    await writeFile(propertiesFile(node), kafkaProperties(node, nodes, options.properties ?? {}));
    if (existsSync(join(node.dir, 'data', 'meta.properties'))) return;
    const flags = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', installation.classPath];
    const tool = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', propertiesFile(node)];
    await run(installation.java, [...flags, ...tool], { timeout: FORMAT_DEADLINE_MS });
  };
  await Promise.all(nodes.map(format));
}
