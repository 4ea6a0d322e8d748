/** A member of the group in a process of its own, for the test that kills and pauses it. Effects go through the inbox. */
import mysql from 'mysql2/promise';
import { transactOnce } from '#inbox';
import { createLogger } from '#runtime';
import { createRetriableConsumer } from './index.ts';

const { database, member, alwaysFails, failsFirst, ...options } = JSON.parse(process.argv[2] ?? '{}');
const pool = mysql.createPool({ ...database, connectionLimit: 8 });
const consumer = createRetriableConsumer({
  ...options,
  logger: createLogger({ level: 'error', process: 'consumer', instance: member }),
  handler: async (message) => {
    const number = Number(message.value);
    process.stdout.write(`${JSON.stringify({ msg: 'attempt', number, attempt: message.attempt, atMs: Date.now() })}\n`);
    if (number % alwaysFails === 7) throw new Error('always');
    if (number % failsFirst === 0 && message.attempt === 0) throw new Error('the first time');
    const values = [number, String(message.key)];
    await transactOnce(pool, String(message.headers.id), (tx) =>
      tx.query('INSERT INTO effects (event, name) VALUES (?)', [values]),
    );
  },
});
process.once('SIGTERM', () => {
  void consumer.stop().then(() => pool.end());
});
await consumer.start();
process.stdout.write('{"msg":"joined"}\n');
