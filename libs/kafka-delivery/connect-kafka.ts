/** One configuration of kafkajs's connections, from which every user (port, session, reader) gets brokers of its own. */
import { type Brokers, createBrokers } from './brokers.ts';
import { kafkaLogOptions } from './kafka-log.ts';
import { type KafkaOptions, type KafkaSettings, settingsFrom } from './kafka-options.ts';
import { createBrokerFactory, type KafkaConfig } from './kafkajs.ts';
import { createTokenProvider } from './oauth-token.ts';

export interface KafkaConnection {
  readonly settings: KafkaSettings;
  /** New brokers, not connected yet; the caller closes them. */
  brokers(): Brokers;
}

function saslConfig(settings: KafkaSettings): Pick<KafkaConfig, 'sasl'> {
  const { sasl, clock } = settings;
  if (!sasl) return {};
  if (sasl.mechanism === 'oauthbearer') {
    const oauthBearerProvider = createTokenProvider(sasl.token, clock);
    return { sasl: { mechanism: 'oauthbearer', oauthBearerProvider } };
  }
  const { mechanism, username, password } = sasl;
  // The union of kafkajs wants each mechanism by itself.
  if (mechanism === 'plain') return { sasl: { mechanism, username, password } };
  if (mechanism === 'scram-sha-256') return { sasl: { mechanism, username, password } };
  return { sasl: { mechanism, username, password } };
}

/** Checks the configuration and kafkajs; connects to nothing yet. Throws CONFIG_INVALID or INTERNAL. */
export function connectKafka(options: KafkaOptions): KafkaConnection {
  const settings = settingsFrom(options);
  const factory = createBrokerFactory({
    brokers: [...settings.brokers],
    clientId: settings.clientId,
    ssl: settings.ssl,
    ...saslConfig(settings),
    connectionTimeout: settings.connectionTimeoutMs,
    requestTimeout: settings.requestTimeoutMs,
    ...kafkaLogOptions(settings.logger),
  });
  return { settings, brokers: () => createBrokers(settings, factory) };
}
