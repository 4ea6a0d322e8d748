/** Does the broker ask the coordinator before it takes a batch of a transaction (KIP-890)? Without it a late batch can hang readers. */
import { fine, kafkaCheck, risky, unknown } from './finding.ts';

const NAME = 'transaction.partition.verification.enable';
const HANGING =
  'a request that arrives late can leave a transaction open that nobody ends, and read_committed readers stop there';
const FIND = 'kafka-transactions.sh find-hanging and abort mend one that happened';

export const partitionVerification = kafkaCheck(
  'partition-verification',
  'transaction.partition.verification.enable (KIP-890)',
  ({ cluster, groups }) => {
    const asked = cluster.brokers.filter(({ config }) => config !== null);
    if (groups.length === 0) return [];
    if (asked.length === 0) return [unknown('', `${NAME} is not shown to this user`)];
    const values = asked.map(({ config }) => config?.get(NAME) ?? null);
    if (values.includes('false')) return [risky('', `off: ${HANGING}`, `${NAME}=true on every broker; ${FIND}`)];
    if (values.includes(null))
      return [
        risky(
          '',
          `a broker older than Kafka 3.6 has no such check: ${HANGING}`,
          `bring the brokers to 3.6 or newer; ${FIND}`,
        ),
      ];
    return [fine('', 'on')];
  },
);
