/** Consumes, transforms and produces in a process of its own, for the test that kills and pauses it. */
import { createLogger } from '#runtime';
import { createRetriableConsumer } from './index.ts';

const { target, failsFirst, member, ...options } = JSON.parse(process.argv[2] ?? '{}');
const consumer = createRetriableConsumer({
  ...options,
  logger: createLogger({ level: 'error', process: 'consumer', instance: member }),
  handler: (message, { produce }) => {
    const number = Number(message.value);
    // Two records for each: both or none.
    for (const part of ['a', 'b']) produce({ topic: target, key: message.key, value: `${number}${part}` });
    process.stdout.write(`${JSON.stringify({ msg: 'attempt', number, attempt: message.attempt })}\n`);
    if (number % failsFirst === 0 && message.attempt === 0) throw new Error('the first time');
  },
});
process.once('SIGTERM', () => void consumer.stop());
await consumer.start();
process.stdout.write('{"msg":"joined"}\n');
