/**
 * A Kafka that may be stopped: one started for the run, or a given one with the commands that stop and start it
 * (KRS_E2E_KAFKA_STOP and KRS_E2E_KAFKA_START, run by `sh -c`).
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Stack } from '#testkit';
import { testKafka, until } from '#testkit';

const run = promisify(execFile);
const COMMAND_DEADLINE_MS = 120_000;
const READY_DEADLINE_MS = 120_000;

export interface StoppableKafka {
  /** The ways in which it can be stopped: what they are called, and how. */
  readonly stops: readonly { readonly name: string; readonly stop: () => Promise<void> }[];
  /** Starts it again and waits until it answers. */
  start(): Promise<void>;
}

interface Commands {
  readonly stop: string;
  readonly start: string;
}

/** Null when none are given; throws when only one of the two is. */
export function kafkaCommands(env: NodeJS.ProcessEnv): Commands | null {
  const { KRS_E2E_KAFKA_STOP: stop, KRS_E2E_KAFKA_START: start } = env;
  if (!stop && !start) return null;
  if (!stop || !start) throw new Error('KRS_E2E_KAFKA_STOP and KRS_E2E_KAFKA_START must be given together');
  return { stop, start };
}

export function stoppableKafka(stack: Stack, commands: Commands | null): StoppableKafka {
  if (commands !== null) {
    const shell = async (command: string) => {
      await run('sh', ['-c', command], { timeout: COMMAND_DEADLINE_MS });
    };
    return {
      stops: [{ name: `stopped by "${commands.stop}"`, stop: () => shell(commands.stop) }],
      start: async () => {
        await shell(commands.start);
        await until('an answer of Kafka', () => answers(stack.kafkaBootstrap), READY_DEADLINE_MS);
      },
    };
  }
  const { kafka } = stack;
  if (kafka === null) throw new Error('there is no Kafka that may be stopped');
  return {
    stops: [
      { name: 'SIGKILL', stop: () => kafka.kill() },
      { name: 'a clean stop', stop: () => Promise.all(kafka.nodes.map((node) => node.stop())).then(() => undefined) },
    ],
    start: () => kafka.restart(),
  };
}

async function answers(bootstrap: string): Promise<boolean> {
  const admin = testKafka(bootstrap).admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.length > 0;
  } catch {
    return false;
  } finally {
    await admin.disconnect();
  }
}
