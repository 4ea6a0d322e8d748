/** A member of the group in a process of its own, for the test that kills and pauses it. */
import mysql from 'mysql2/promise';
import { createLogger } from '#runtime';
import { createRetriableConsumer } from './index.ts';
import { createProofHandler } from './proof-handler.child.ts';

const { database, member, alwaysFails, failsFirst, ...options } = JSON.parse(process.argv[2] ?? '{}');
const pool = mysql.createPool({ ...database, connectionLimit: 8 });
const log = (line: object) => void process.stdout.write(`${JSON.stringify(line)}\n`);
const consumer = createRetriableConsumer({
  ...options,
  logger: createLogger({ level: 'error', process: 'consumer', instance: member }),
  handler: createProofHandler({ pool, alwaysFails, failsFirst, log }),
});
process.once('SIGTERM', () => {
  void consumer.stop().then(() => pool.end());
});
await consumer.start();
log({ msg: 'joined' });
