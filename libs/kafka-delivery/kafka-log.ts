/**
 * kafkajs's log lines on our logger. Whatever goes wrong in a connection also comes back as an error, which is logged
 * once where it is handled; so kafkajs's own warnings and errors are details, for level debug.
 */
import type { Logger } from '#runtime';
import { type KafkaConfig, type LogEntry, logLevel } from './kafkajs.ts';

export function kafkaLogOptions(logger: Logger): Pick<KafkaConfig, 'logLevel' | 'logCreator'> {
  return {
    logLevel: logLevel.INFO,
    logCreator:
      () =>
      ({ namespace, log }: LogEntry) => {
        logger.debug({ part: `kafkajs/${namespace}`, broker: log.broker ?? null }, log.message);
      },
  };
}
