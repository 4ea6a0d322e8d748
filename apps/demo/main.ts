/**
 * `npm run demo`: servers, writers and senders as processes of their own, real rows through many concurrent transactions,
 * kills on the way, and a check at the end. Exit code 0 only when every row was delivered once and in order.
 */
import { EXIT, type ExitCode } from '#runtime';
import {
  createDeployment,
  type Deployment,
  givenServers,
  interruption,
  type Ledger,
  type Load,
  type Stack,
  startLoad,
  startStack,
} from '#testkit';
import { check } from './check.ts';
import { Fleet } from './fleet.ts';
import { COLUMNS, flightSupplies, KEY_COLUMN, TABLE, TABLE_SQL } from './flights.ts';
import { keepRunning } from './keep-running.ts';
import { type DemoOptions, parseOptions } from './options.ts';
import { relayAll } from './relay-all.ts';
import { createScreen, number, type Screen } from './screen.ts';

/** Short, so that take-overs are seen; the defaults are 10 s and 15 s. */
const SETTINGS = { WRITER_LOCK_TTL: '3', LANE_LEASE: '5' };
const CONNECTIONS = 16;
/** More in bulk than usual: 200,000 rows are to take seconds, not minutes. */
const MIX = { bulkShare: 0.06 };

async function demo(options: DemoOptions, screen: Screen, stack: Stack, signal: AbortSignal): Promise<ExitCode> {
  const deployment = await createDeployment({
    name: 'krs_demo',
    servers: stack,
    source: { table: TABLE, keyColumn: KEY_COLUMN },
    settings: SETTINGS,
  });
  // Ctrl-C in the middle of anything: whatever waits for a process fails, and all is taken down as after any fault.
  const interrupt = () => {
    for (const app of deployment.apps) if (app.running) void app.kill();
  };
  signal.addEventListener('abort', interrupt, { once: true });
  let load: Load | null = null;
  try {
    const fleet = await prepare(options, screen, deployment);
    load = startLoad({
      target: { ...deployment.database, table: TABLE, watermarkColumn: 'WatermarkId', columns: COLUMNS },
      supplies: flightSupplies(options.rows, CONNECTIONS),
      seed: options.seed,
      mix: MIX,
    });
    await relayAll({ deployment, fleet, load, screen, signal, target: options.rows, kill: options.kill });
    const passed = await conclude(deployment, await load.done, screen);
    // From here on an interruption is the way to end it, and an orderly one.
    signal.removeEventListener('abort', interrupt);
    if (options.keep) await keepRunning(deployment, fleet, { signal, ownServers: stack.mariadb !== null });
    await deployment.stopAll();
    return passed ? EXIT.done : EXIT.checkFailed;
  } finally {
    signal.removeEventListener('abort', interrupt);
    // Its open transactions would make dropping the table wait.
    await load?.stop().catch(() => undefined);
    await deployment.drop();
  }
}

async function prepare(options: DemoOptions, screen: Screen, deployment: Deployment): Promise<Fleet> {
  await deployment.query(TABLE_SQL);
  await deployment.init();
  screen.note(`init: tables in database ${deployment.database.name}, topic ${deployment.topic}`);
  const fleet = new Fleet(deployment);
  for (let count = 0; count < options.writers; count += 1) fleet.start('writer');
  for (let count = 0; count < options.senders; count += 1) fleet.start('sender');
  await fleet.ready();
  screen.note(`running: ${options.writers} writers and ${options.senders} senders (seed ${options.seed})`);
  screen.note(await fleet.gapMode());
  return fleet;
}

async function conclude(deployment: Deployment, ledger: Ledger, screen: Screen): Promise<boolean> {
  screen.note('checking: reading the topic read_committed and comparing it with the table');
  const { passed, line, findings, ledger: compared } = await check(deployment, ledger);
  screen.end();
  for (const finding of findings) process.stdout.write(`${finding}\n`);
  const { arrived, uncommitted, outOfOrder, missing, duplicated, examples } = compared;
  if (missing + duplicated + outOfOrder + uncommitted > 0) {
    process.stdout.write(
      `the application's ledger: ${arrived} of ${compared.committed} arrived, ${missing} missing, ${duplicated} ` +
        `duplicated, ${outOfOrder} not in the order of their commits, ${uncommitted} never committed: ${examples.join('; ')}\n`,
    );
  } else {
    process.stdout.write(
      `the application agrees: its ${number(arrived)} rows, each key's in the order of their commits\n`,
    );
  }
  process.stdout.write(`${line}\n`);
  return passed;
}

async function main(): Promise<ExitCode> {
  const options = parseOptions(process.argv.slice(2));
  const signal = interruption(EXIT.checkFailed);
  const screen = createScreen(process.stdout, performance.now());
  let stack: Stack;
  try {
    screen.note('servers: MariaDB, Redis and Kafka ..');
    stack = await startStack({ env: givenServers() });
  } catch (error) {
    process.stderr.write(`the servers did not start: ${error instanceof Error ? error.message : error}\n`);
    return EXIT.unreachable;
  }
  const { database, redisUrl, kafkaBootstrap, mariadb } = stack;
  try {
    const where = `MariaDB ${database.host}:${database.port}, Redis ${new URL(redisUrl).host}, Kafka ${kafkaBootstrap}`;
    screen.note(`servers ${mariadb === null ? 'given' : 'started'}: ${where}`);
    return signal.aborted ? EXIT.checkFailed : await demo(options, screen, stack, signal);
  } catch (error) {
    screen.end();
    const what = error instanceof Error ? error.message : error;
    process.stderr.write(signal.aborted ? 'interrupted\n' : `the demo failed: ${what}\n`);
    return EXIT.checkFailed;
  } finally {
    await stack.stop();
  }
}

process.exit(await main());
