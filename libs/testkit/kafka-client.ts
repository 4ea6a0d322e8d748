/** A Kafka client for tests: quiet, patient for seconds, never for minutes. */
import kafkajs from 'kafkajs';

export function testKafka(bootstrap: string, more: Partial<kafkajs.KafkaConfig> = {}): kafkajs.Kafka {
  return new kafkajs.Kafka({
    clientId: 'krs-testkit',
    brokers: bootstrap.split(','),
    logLevel: kafkajs.logLevel.NOTHING,
    connectionTimeout: 3_000,
    requestTimeout: 15_000,
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 8 },
    ...more,
  });
}
