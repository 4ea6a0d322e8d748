/** Can a transaction be opened at all? Tried with one that writes nothing. */
import { ENV_PREFIX } from '#config';
import { RelayError } from '#runtime';
import { broken, fine, kafkaCheck } from './finding.ts';
import { aclCommand } from './kafka-tools.ts';

export const transactions = kafkaCheck(
  'transactions',
  'a transaction that writes nothing: rights, timeout, coordinators',
  ({ rehearsal }, { config }) => {
    if (rehearsal === null) return [];
    if (!(rehearsal instanceof RelayError)) return [fine('', 'opened and aborted one')];
    const { code, message } = rehearsal;
    const prefix = config.kafka.transactionalIdPrefix;
    if (code === 'KAFKA_REFUSED') {
      const write = aclCommand(
        config,
        '--operation Write --operation Describe',
        `--transactional-id ${prefix}. --resource-pattern-type prefixed`,
      );
      const read = aclCommand(
        config,
        '--operation Read',
        `--group ${config.kafka.markerGroup} --resource-pattern-type prefixed`,
      );
      return [broken('', message, `${write}; ${read}`)];
    }
    if (code === 'CONFIG_INVALID') return [broken('', message, `lower ${ENV_PREFIX}KAFKA_TRANSACTION_TIMEOUT`)];
    return [broken('', message, "mend what it names; where it names nothing, see the brokers' logs")];
  },
);
