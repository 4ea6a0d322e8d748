/** Warnings of the settings themselves, and the mode of delivery they bring about. */
import { ENV_PREFIX } from '#config';
import { fine, risky, settingsCheck } from './finding.ts';

export const deliveryMode = settingsCheck(
  'delivery',
  'exactly-once or at-least-once by the settings',
  ({ config, warnings }) => {
    const others = warnings.map((warning) => risky('', warning, 'see the setting named'));
    if (config.deliveryMode === 'exactly-once') return [fine('', 'exactly once'), ...others];
    return [
      risky(
        '',
        'at least once: rows may arrive twice after any fault, since no markers are written',
        `set ${ENV_PREFIX}KAFKA_ACKS=all and ${ENV_PREFIX}KAFKA_ENABLE_IDEMPOTENCE=true`,
      ),
      ...others,
    ];
  },
);
