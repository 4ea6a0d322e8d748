/** Somebody else who delivers under our prefix writes our markers: rows can be taken for delivered that are not. */
import { ENV_PREFIX } from '#config';
import { broken, fine, kafkaCheck, unknown } from './finding.ts';

export const strangers = kafkaCheck(
  'strangers',
  'transactions under our prefix by processes that are not members',
  ({ strangers: found, groups }, { config }) => {
    if (groups.length === 0) return [];
    if (found === null)
      return [
        unknown(
          '',
          'open transactions are not shown (Kafka before 3.0, no Describe on transactional ids, or no database)',
        ),
      ];
    if (found.length === 0) return [fine('', 'none seen')];
    const prefix = config.kafka.transactionalIdPrefix;
    return found.map(({ transactionalId }) =>
      broken(
        transactionalId,
        `delivers under the prefix ${prefix} and is no member in this database: two deployments share it and overwrite each other's markers`,
        `stop one of them, give it another ${ENV_PREFIX}KAFKA_TRANSACTIONAL_ID_PREFIX, run init, and verify both`,
      ),
    );
  },
);
