/** The timeout that our transactions ask for, against what the brokers allow. */
import { ENV_PREFIX } from '#config';
import { broken, fine, kafkaCheck, unknown } from './finding.ts';

const NAME = 'transaction.max.timeout.ms';

export const transactionTimeout = kafkaCheck(
  'transaction-timeout',
  'transaction.max.timeout.ms against KAFKA_TRANSACTION_TIMEOUT',
  ({ cluster, groups }, { config }) => {
    if (groups.length === 0) return [];
    const values = cluster.brokers.flatMap((broker) =>
      broker.config?.has(NAME) ? [Number(broker.config.get(NAME))] : [],
    );
    const wanted = config.kafka.transactionTimeoutMs;
    if (values.length === 0) return [unknown('', `${NAME} is not shown to this user; kafka.transactions tries it`)];
    const most = Math.min(...values);
    if (wanted <= most) return [fine('', `${wanted / 1000} s, the brokers allow ${most / 1000} s`)];
    return [
      broken(
        '',
        `${wanted / 1000} s, the brokers allow ${most / 1000} s: no sender can start`,
        `set ${ENV_PREFIX}KAFKA_TRANSACTION_TIMEOUT to ${Math.floor(most / 1000)} or less`,
      ),
    ];
  },
);
