/**
 * `npm run demo:sqlite`: an application creates users and their events in one SQLite file, a relay sends the events to Kafka and
 * is killed on the way, and a consumer prints them. Exit code 0 only when every event was printed once, and the one
 * that Kafka refuses was given up after its attempts and told by webhook.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { Command, InvalidArgumentError } from 'commander';
import { EXIT, type ExitCode, systemClock } from '#runtime';
import {
  type App,
  createTestTopic,
  givenServers,
  interruption,
  spawnApp,
  startKafka,
  testKafka,
  uniqueName,
  until,
} from '#testkit';

interface Options {
  readonly users: number;
  readonly kills: number;
}

/** What runs, and what was seen. */
interface Scene {
  readonly options: Options;
  readonly folder: string;
  readonly file: string;
  readonly bootstrap: string;
  readonly topic: string;
  readonly webhook: string;
  readonly told: string[];
  readonly apps: App[];
}

const DEADLINE_MS = 120_000;
const PAUSE_MS = 15;
const RETRIES = 3;
/** The topic takes less than the one event that is to be refused. */
const TOPIC_BYTES_MAX = 20_000;
const SHOWN_MAX = 3;

const startedMs = performance.now();
const say = (line: string) =>
  process.stdout.write(`${((performance.now() - startedMs) / 1_000).toFixed(1).padStart(5)} s  ${line}\n`);

function parse(words: readonly string[]): Options {
  const between = (min: number, max: number) => (word: string) => {
    const value = /^\d+$/.test(word) ? Number(word) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Give an integer from ${min} to ${max}.`);
  };
  return new Command('npm run demo:sqlite --')
    .description('Users and their events in an SQLite file, relayed to Kafka while the relay is killed.')
    .option('--users <number>', 'users to create, one event each', between(1, 100_000), 400)
    .option('--kills <number>', 'how often the relay is killed', between(0, 20), 3)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.done : EXIT.usage))
    .parse([...words], { from: 'user' })
    .opts<Options>();
}

/** Notifications of the relay, as a chat or a pager would get them. */
async function openWebhook(told: string[]): Promise<Server> {
  const server = createServer(async (request, response) => {
    const { kind, text: what } = JSON.parse(await text(request)) as { kind: string; text: string };
    told.push(kind);
    say(`webhook: ${kind}: ${what}`);
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function start(
  scene: Scene,
  entry: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  log: string,
): App {
  const app = spawnApp(entry, env, { args, logFile: join(scene.folder, log) });
  scene.apps.push(app);
  return app;
}

const startRelay = (scene: Scene): App =>
  start(
    scene,
    'apps/cli/main.ts',
    ['run', '--db', `sqlite:${scene.file}`],
    {
      KAFKA_ROW_SENDER_SOURCE_TABLE: 'users_outbox',
      KAFKA_ROW_SENDER_SOURCE_MODE: 'consume',
      KAFKA_ROW_SENDER_SOURCE_EVENT_HEADERS: 'eventType:type',
      KAFKA_ROW_SENDER_KAFKA_TOPIC: scene.topic,
      KAFKA_ROW_SENDER_KAFKA_BOOTSTRAP_SERVERS: scene.bootstrap,
      KAFKA_ROW_SENDER_KAFKA_TRANSACTIONAL_ID_PREFIX: scene.topic,
      KAFKA_ROW_SENDER_KAFKA_MAX_RETRIES: String(RETRIES),
      KAFKA_ROW_SENDER_KAFKA_RETRY_BACKOFF_BASE: '0.2',
      KAFKA_ROW_SENDER_KAFKA_RETRY_BACKOFF_MAX: '1',
      KAFKA_ROW_SENDER_NOTIFY_WEBHOOK_URL: scene.webhook,
      KAFKA_ROW_SENDER_LOG_LEVEL: 'debug',
    },
    'relay.log',
  );

const lastOutput = (app: App): string => app.output().split('\n').slice(-5).join('\n');

/** Until it has delivered, or has its lanes when the application has nothing more for it. */
async function untilAtWork(relay: App, writing: App): Promise<void> {
  const delivers = relay.waitForLog(({ event }) => event === 'delivered', DEADLINE_MS, 'a delivery');
  const hasLanes = relay.waitForLog(({ event }) => event === 'lane-taken', DEADLINE_MS, 'a lane');
  await Promise.race([delivers, Promise.all([hasLanes, writing.exit])]);
  // The one not waited for ends with the relay.
  delivers.catch(() => undefined);
}

/** The last relay is left running. */
async function relayAndKill(scene: Scene, writing: App, signal: AbortSignal): Promise<void> {
  for (let kill = 1; ; kill += 1) {
    const relay = startRelay(scene);
    if (kill > scene.options.kills || signal.aborted) return;
    await untilAtWork(relay, writing);
    await systemClock.sleep(100 + Math.random() * 500, signal);
    await relay.kill();
    say(`relay ${relay.pid} killed (SIGKILL), the next one takes over`);
  }
}

/** An event that Kafka will not take. */
function createUserWithLargeEvent(file: string): void {
  const db = new DatabaseSync(file, { timeout: 5_000 });
  db.exec("BEGIN IMMEDIATE; INSERT INTO users (name) VALUES ('large')");
  const payload = JSON.stringify({ id: 'large', picture: 'x'.repeat(2 * TOPIC_BYTES_MAX) });
  db.prepare("INSERT INTO users_outbox (aggregateId, eventType, payload) VALUES (0, 'UserCreated', ?)").run(payload);
  db.exec('COMMIT');
  db.close();
}

/** What the consumer printed: event id and payload of each packet. */
function printed({ folder }: Scene): readonly { readonly id: string; readonly payload: string }[] {
  const lines = readFileSync(join(folder, 'consumer.log'), 'utf8').split('\n');
  return lines.flatMap((line) => {
    const [, id, payload] = /^Received packet: (\S+) \S+ (.*)$/.exec(line) ?? [];
    return id === undefined || payload === undefined ? [] : [{ id, payload }];
  });
}

async function demo(scene: Scene, signal: AbortSignal): Promise<ExitCode> {
  const { options, file, bootstrap, topic, folder, told } = scene;
  const arguments_ = [bootstrap, topic, join(folder, 'consumer.db'), uniqueName('krs-demo')];
  const consumer = start(scene, 'apps/examples/sqlite/consumer.ts', arguments_, {}, 'consumer.log');
  const writing = start(
    scene,
    'apps/examples/sqlite/application.ts',
    [file, String(options.users), String(PAUSE_MS)],
    {},
    'application.log',
  );
  say(`application ${writing.pid} creates ${options.users} users in ${file}; consumer ${consumer.pid} prints ${topic}`);
  await relayAndKill(scene, writing, signal);
  const { code } = await writing.exit;
  if (code !== 0) throw new Error(`the application failed: ${lastOutput(writing)}`);
  say(`${options.users} users are committed, each with its event; now one event of ${2 * TOPIC_BYTES_MAX} bytes`);
  createUserWithLargeEvent(file);
  await until('the refused event is given up', () => told.includes('row-dead'), DEADLINE_MS);
  const all = () => printed(scene).length >= options.users || !consumer.running || signal.aborted;
  await until('every event is printed', all, DEADLINE_MS);
  // A second copy would come right behind.
  await systemClock.sleep(1_000, signal);
  return conclude(scene);
}

function conclude(scene: Scene): ExitCode {
  const db = new DatabaseSync(scene.file, { timeout: 5_000 });
  const users = db.prepare("SELECT id, name FROM users WHERE name <> 'large' ORDER BY id").all();
  const left = Number(db.prepare('SELECT COUNT(*) AS n FROM users_outbox').get()?.n);
  const dead = Number(
    db.prepare("SELECT COUNT(*) AS n FROM kafka_row_sender_dead_letter WHERE state = 'dead'").get()?.n,
  );
  const whole = db.prepare('PRAGMA integrity_check').get()?.integrity_check;
  db.close();
  const packets = printed(scene);
  for (const { id, payload } of packets.slice(0, SHOWN_MAX)) say(`consumer printed: ${id} ${payload}`);
  if (packets.length > SHOWN_MAX) say(`.. and ${packets.length - SHOWN_MAX} more`);
  const times = new Map<string, number>();
  for (const { payload } of packets) times.set(payload, (times.get(payload) ?? 0) + 1);
  const missing = users.filter((user) => !times.has(JSON.stringify(user))).length;
  const doubled = [...times.values()].filter((count) => count > 1).length;
  const transactions = scene.apps.flatMap(({ log }) =>
    log.filter(({ event, transactionMs }) => event === 'delivered' && transactionMs !== undefined),
  );
  say(`${packets.length} events went in about ${transactions.length} Kafka transactions; the file is ${whole}`);
  const passed = missing + doubled + left === 0 && dead === 1 && users.length === scene.options.users && whole === 'ok';
  process.stdout.write(
    `${passed ? 'passed' : 'FAILED'}: printed ${times.size} of ${users.length} events once each: ${missing} missing, ${doubled} doubled, ` +
      `${left} left in users_outbox; relay killed ${scene.options.kills} times; ${dead} refused event given up after ${RETRIES} attempts\n`,
  );
  return passed ? EXIT.done : EXIT.checkFailed;
}

/** Drops the topics of the demo on a Kafka that was given. */
async function clean(bootstrap: string, topic: string): Promise<void> {
  const admin = testKafka(bootstrap).admin();
  await admin.connect();
  const topics = (await admin.listTopics()).filter((name) => name.startsWith(topic));
  if (topics.length > 0) await admin.deleteTopics({ topics });
  await admin.disconnect();
}

async function main(): Promise<ExitCode> {
  const options = parse(process.argv.slice(2));
  const signal = interruption(EXIT.checkFailed);
  const given = givenServers().KRS_TEST_KAFKA;
  const kafka = given === undefined ? await startKafka() : null;
  const bootstrap = given ?? kafka?.bootstrap ?? '';
  say(`Kafka ${kafka === null ? 'given' : 'started'}: ${bootstrap}`);
  const folder = mkdtempSync(join(tmpdir(), 'krs-demo-sqlite-'));
  const told: string[] = [];
  const server = await openWebhook(told);
  const { name: topic } = await createTestTopic({
    prefix: 'krs-demo-users',
    partitions: 3,
    bootstrap,
    config: { 'max.message.bytes': String(TOPIC_BYTES_MAX) },
  });
  const webhook = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const scene: Scene = { options, folder, file: join(folder, 'app.db'), bootstrap, topic, webhook, told, apps: [] };
  signal.addEventListener('abort', () => void scene.apps.map((app) => app.kill()), { once: true });
  try {
    return await demo(scene, signal);
  } catch (error) {
    process.stderr.write(`${signal.aborted ? 'interrupted' : error instanceof Error ? error.message : error}\n`);
    return EXIT.checkFailed;
  } finally {
    await Promise.all(scene.apps.filter(({ running }) => running).map((app) => app.stop()));
    server.close();
    await (kafka?.stop() ?? clean(bootstrap, topic));
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exit(await main());
