/** Settings to the options of the Kafka adapter. */
import type { ConnectionOptions } from 'node:tls';
import { type Config, freshSecret, freshSsl, type SaslConfig } from '#config';
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

/** Read anew for each connection. */
function tlsOptions(ssl: NonNullable<Config['kafka']['ssl']>): () => ConnectionOptions {
  const now = freshSsl(ssl);
  return () => {
    const { ca, cert, key, passphrase, verify } = now();
    return {
      rejectUnauthorized: verify,
      ...(ca === null ? {} : { ca }),
      ...(cert === null ? {} : { cert }),
      ...(key === null ? {} : { key }),
      ...(passphrase === null ? {} : { passphrase }),
    };
  };
}

function saslOptions(sasl: SaslConfig): SaslOptions {
  if (sasl.mechanism !== 'OAUTHBEARER') {
    const mechanism = sasl.mechanism.toLowerCase() as 'plain' | 'scram-sha-256' | 'scram-sha-512';
    return { mechanism, username: sasl.username, password: freshSecret(sasl.password, sasl.passwordFile) };
  }
  const { token, extensions } = sasl;
  if (token.kind === 'command') return { mechanism: 'oauthbearer', token: { command: token.command }, extensions };
  return {
    mechanism: 'oauthbearer',
    token: {
      url: token.url,
      clientId: token.clientId,
      clientSecret: freshSecret(token.clientSecret, token.clientSecretFile),
      ...(token.scope === null ? {} : { scope: token.scope }),
    },
    extensions,
  };
}
