/** Settings to the options of the Kafka adapter. */
import type { Config, SaslConfig } from '#config';
import type { KafkaOptions, SaslOptions } from '#kafka-delivery';
import type { Logger } from '#runtime';
import { fixedTopics } from './source-topics.ts';

export function kafkaOptions(config: Config, logger: Logger): KafkaOptions {
  const { kafka } = config;
  return {
    brokers: kafka.bootstrapServers,
    clientId: kafka.clientId,
    logger,
    ssl: kafka.ssl === null ? false : tlsOptions(kafka.ssl),
    ...(kafka.sasl === null ? {} : { sasl: saslOptions(kafka.sasl) }),
    prefix: kafka.transactionalIdPrefix,
    outboxTable: kafka.markerName,
    topics: fixedTopics(config.sources),
    transactionTimeoutMs: kafka.transactionTimeoutMs,
    acks: kafka.acks,
    idempotent: kafka.idempotence,
    compression: kafka.compression,
    partitioner: kafka.partitioner,
    chunkOversized: config.sender.oversize === 'chunk',
  };
}

function tlsOptions(ssl: NonNullable<Config['kafka']['ssl']>): Exclude<KafkaOptions['ssl'], undefined> {
  return {
    rejectUnauthorized: ssl.verify,
    ...(ssl.ca === null ? {} : { ca: ssl.ca }),
    ...(ssl.cert === null ? {} : { cert: ssl.cert }),
    ...(ssl.key === null ? {} : { key: ssl.key }),
  };
}

function saslOptions(sasl: SaslConfig): SaslOptions {
  if (sasl.mechanism !== 'OAUTHBEARER') {
    const mechanism = sasl.mechanism.toLowerCase() as 'plain' | 'scram-sha-256' | 'scram-sha-512';
    return { mechanism, username: sasl.username, password: sasl.password };
  }
  const { token } = sasl;
  if (token.kind === 'command') {
    const [program = '', ...rest] = token.command.split(/\s+/).filter((part) => part !== '');
    return { mechanism: 'oauthbearer', token: { command: [program, ...rest] } };
  }
  return {
    mechanism: 'oauthbearer',
    token: {
      url: token.url,
      clientId: token.clientId,
      clientSecret: token.clientSecret,
      ...(token.scope === null ? {} : { scope: token.scope }),
    },
  };
}
