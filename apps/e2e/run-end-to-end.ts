/** The frame of an end-to-end program: servers, signals, cases one after the other, tearing down, exit code. */
import { EXIT } from '#runtime';
import { givenServers, interruption, type Stack, startStack } from '#testkit';
import { Steps } from './steps.ts';

export type EndToEndCase = (steps: Steps, stack: Stack, signal: AbortSignal) => Promise<void>;

/** Never returns. `prepare` may take servers out of the given ones, so that they are started instead. */
export async function runEndToEnd(
  cases: readonly EndToEndCase[],
  prepare: (given: NodeJS.ProcessEnv) => NodeJS.ProcessEnv = (given) => given,
): Promise<never> {
  const signal = interruption(EXIT.checkFailed);
  const steps = new Steps();
  let stack: Stack | null = null;
  try {
    const env = prepare(givenServers());
    stack = await steps.step('servers', () => startStack({ env }), addresses);
    for (const each of cases) {
      if (!signal.aborted) await each(steps, stack, signal);
    }
  } catch (error) {
    // A failed step has said why; anything else is told here.
    if (signal.aborted) process.stdout.write('interrupted\n');
    else if (!(error instanceof Error)) process.stderr.write(`${error}\n`);
  } finally {
    await stack?.stop();
  }
  const passed = steps.finish();
  process.exit(passed && !signal.aborted ? EXIT.done : EXIT.checkFailed);
}

/** Without credentials: the servers may be the user's own. */
function addresses({ database, redisUrl, kafkaBootstrap, mariadb, redis, kafka }: Stack): string {
  const own = (handle: object | null) => (handle === null ? 'given' : 'started');
  return [
    `MariaDB ${database.host}:${database.port} (${own(mariadb)})`,
    `Redis ${new URL(redisUrl).host} (${own(redis)})`,
    `Kafka ${kafkaBootstrap} (${own(kafka)})`,
  ].join(', ');
}
