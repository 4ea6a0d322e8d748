/**
 * A consumer whose effect is there exactly once: orders from Kafka change balances in the database, through the inbox. An order
 * for an account that is not there yet is tried again by the retry topic; one that makes no sense goes to the dead letters.
 *
 *   npm run example:consumer
 *
 * In a project of your own the imports are `kafka-row-sender/consumer` and `kafka-row-sender/inbox`.
 */
import { transactOnce } from '#inbox';
import { createRetriableConsumer } from '#retriable-consumer';
import { createLogger } from '#runtime';
import { bookOrder, createTables, InvalidOrder, openPool, parseOrder } from './account.ts';

const { env } = process;
const topic = env.EXAMPLE_TOPIC ?? 'example-orders';
const pool = openPool();
const logger = createLogger({ level: 'info', process: 'example', instance: String(process.pid) });

const consumer = createRetriableConsumer({
  brokers: (env.KAFKA_ROW_SENDER_KAFKA_BOOTSTRAP_SERVERS ?? '127.0.0.1:9092').split(','),
  groupId: `${topic}.accounts`,
  topics: [
    {
      topic,
      retryTopic: `${topic}.retry`,
      deadLetterTopic: `${topic}.dead`,
      retries: 5,
      delayMs: Number(env.EXAMPLE_DELAY_MS ?? 10_000),
    },
  ],
  concurrency: 8,
  nonRetriable: [InvalidOrder],
  logger,
  handler: async (message) => {
    const order = parseOrder(message.value);
    // The id of the event, as the sender wrote it; where it came first is one, too, unless senders send twice.
    const { origin } = message;
    const id = String(message.headers.id ?? `${origin.topic}/${origin.partition}/${origin.offset}`);
    const outcome = await transactOnce(pool, id, (tx) => bookOrder(tx, order));
    logger.info({ id, outcome, attempt: message.attempt }, 'order');
  },
});

await createTables(pool);
await consumer.start();
logger.info({ topic }, 'consuming');
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void consumer.stop());
const fault = await consumer.ended();
await pool.end();
// A supervisor is to see that this process consumes no more.
if (fault !== null) process.exit(fault.exitCode);
