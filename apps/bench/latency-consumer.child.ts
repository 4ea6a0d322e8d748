/**
 * Reads a topic `read_committed` as an ordinary consumer does, and notes for each row how long ago it was inserted.
 * The rows carry the monotonic time of the machine, which all its processes share. Prints `ready` once it has its
 * partitions, and on SIGTERM one line of JSON: latencies in milliseconds by row number.
 *
 *   latency-consumer.child.ts BOOTSTRAP TOPIC
 */
import kafkajs from 'kafkajs';

const [bootstrap = '', topic = ''] = process.argv.slice(2);
const NS_PER_MS = 1e6;
const MARK = /"note":"(\d+):(\d+):/;

const kafka = new kafkajs.Kafka({ brokers: bootstrap.split(','), logLevel: kafkajs.logLevel.NOTHING });
const consumer = kafka.consumer({ groupId: `${topic}.latency`, readUncommitted: false, allowAutoTopicCreation: false });
const latencies: [row: number, ms: number][] = [];

consumer.on('consumer.group_join', () => process.stdout.write('ready\n'));
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
await consumer.run({
  autoCommit: false,
  eachBatch: async ({ batch }) => {
    const nowNs = Number(process.hrtime.bigint());
    for (const { value } of batch.messages) {
      const mark = MARK.exec(value?.toString() ?? '');
      if (mark) latencies.push([Number(mark[1]), (nowNs - Number(mark[2])) / NS_PER_MS]);
    }
  },
});

process.once('SIGTERM', async () => {
  await consumer.disconnect();
  process.stdout.write(`${JSON.stringify(latencies)}\n`, () => process.exit(0));
});
