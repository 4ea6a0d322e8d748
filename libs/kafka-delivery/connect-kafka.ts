/** One configuration of kafkajs's connections, from which every user (port, session, reader) gets brokers of its own. */
import { type Brokers, createBrokers, newLore } from './brokers.ts';
import { kafkaLogOptions } from './kafka-log.ts';
import { type KafkaOptions, type KafkaSettings, settingsFrom } from './kafka-options.ts';
import { createBrokerFactory, createKafkajs, type KafkaConfig } from './kafkajs.ts';
import { createTokenProvider } from './oauth-token.ts';
import { createSocketFactory } from './open-socket.ts';

export interface KafkaConnection {
  readonly settings: KafkaSettings;
  /** New brokers, not connected yet; the caller closes them. */
  brokers(): Brokers;
}

function saslConfig(settings: KafkaSettings): Pick<KafkaConfig, 'sasl'> {
  const { sasl, clock } = settings;
  if (!sasl) return {};
  if (sasl.mechanism === 'oauthbearer') {
    const provide = createTokenProvider(sasl.token, clock);
    const { extensions = {} } = sasl;
    const oauthBearerProvider = async () => ({ ...(await provide()), extensions });
    return { sasl: { mechanism: 'oauthbearer', oauthBearerProvider } };
  }
  const { mechanism, username, password } = sasl;
  // Kafkajs reads the password anew for each login.
  const login = {
    mechanism,
    username,
    get password() {
      return typeof password === 'function' ? password() : password;
    },
  };
  return { sasl: login as KafkaConfig['sasl'] & object };
}

function kafkajsConfig(settings: KafkaSettings): KafkaConfig {
  return {
    brokers: [...settings.brokers],
    clientId: settings.clientId,
    ssl: settings.ssl !== false,
    socketFactory: createSocketFactory(settings.ssl),
    ...saslConfig(settings),
    connectionTimeout: settings.connectionTimeoutMs,
    requestTimeout: settings.requestTimeoutMs,
    ...kafkaLogOptions(settings.logger),
  };
}

/** What a client of kafkajs needs to know of a cluster. */
export type KafkajsOptions = Pick<
  KafkaOptions,
  'brokers' | 'clientId' | 'logger' | 'ssl' | 'sasl' | 'connectionTimeoutMs' | 'requestTimeoutMs'
>;

/** A client of kafkajs with the same security and the same mending as the port; it connects when it is used. */
export function openKafkajs(options: KafkajsOptions): ReturnType<typeof createKafkajs> {
  const settings = settingsFrom({ ...options, prefix: '', outboxTable: '' });
  return createKafkajs({
    ...kafkajsConfig(settings),
    retry: { initialRetryTime: 50, maxRetryTime: 2_000, retries: 8 },
  });
}

/** Checks the configuration and kafkajs; connects to nothing yet. Throws CONFIG_INVALID or INTERNAL. */
export function connectKafka(options: KafkaOptions): KafkaConnection {
  const settings = settingsFrom(options);
  const factory = createBrokerFactory(kafkajsConfig(settings));
  const lore = newLore(settings);
  return { settings, brokers: () => createBrokers(settings, factory, lore) };
}
