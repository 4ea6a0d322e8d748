/** `npm run stack -- up|down|env`: MariaDB, Redis and Kafka on this machine for trying things out, without Docker. */
import { Command, InvalidArgumentError } from 'commander';
import { EXIT } from '#runtime';
import { endProcesses } from './end-processes.ts';
import { isOurs, readState, removeStack } from './state.ts';
import { up } from './up.ts';
import { exportLines, stackVariables } from './variables.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function port(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1 || number > 65_535) throw new InvalidArgumentError('not a port');
  return number;
}

interface UpOptions {
  readonly dbPort?: number;
  readonly redisPort?: number;
  readonly kafkaPort?: number;
}

async function runUp(options: UpOptions): Promise<void> {
  const { dbPort = null, redisPort = null, kafkaPort = null } = options;
  const { state, wasUp } = await up({ database: dbPort, redis: redisPort, kafka: kafkaPort });
  const { ports } = state;
  say(
    `${wasUp ? 'already up' : 'up'}: MariaDB 127.0.0.1:${ports.database}, Redis :${ports.redis}, Kafka :${ports.kafka}`,
  );
  say('to use it: eval "$(npm run -s stack -- env)"');
}

async function runDown(): Promise<void> {
  const state = readState();
  if (state !== null) await endProcesses(state.pids);
  removeStack();
  say(state === null ? 'was not up' : 'down, data removed');
}

function runEnv(): void {
  const state = readState();
  if (state === null || !state.pids.every(isOurs)) {
    process.stderr.write('the stack is not up: npm run stack -- up\n');
    process.exitCode = EXIT.unreachable;
    return;
  }
  for (const line of exportLines(stackVariables(state))) say(line);
}

const program = new Command('npm run stack --').description('MariaDB, Redis and Kafka on loopback ports.');
// Before the commands are made: they inherit it.
program.exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.done : EXIT.usage));
program
  .command('up')
  .description('start the servers; they stay until `down`')
  .option('--db-port <port>', 'port of MariaDB (3306 if free)', port)
  .option('--redis-port <port>', 'port of Redis (6379 if free)', port)
  .option('--kafka-port <port>', 'port of Kafka (9092 if free)', port)
  .action(runUp);
program.command('down').description('stop the servers and remove their data').action(runDown);
program.command('env').description('print the variables that lead to the servers').action(runEnv);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = EXIT.unreachable;
}
