/** The rows of the table about Kafka: connection, security, and the transactional producer. */
import { brokerFault } from './host-setting.ts';
import { boolean, choice, command, list, pem, plainText, seconds, secretText, text, url } from './setting.ts';

const BROKERS_MAX = 64;
const EXTENSIONS_MAX = 32;

export const KAFKA = {
  KAFKA_BOOTSTRAP_SERVERS: list({
    default: 'localhost:9092',
    type: 'host:port or [IPv6]:port, several separated by commas',
    pattern: brokerFault,
    entriesMax: BROKERS_MAX,
    text: 'Kafka bootstrap servers.',
  }),
  KAFKA_CLIENT_ID: text({
    default: 'kafka-row-sender',
    type: 'letters, digits, . _ and -, at most 200',
    pattern: /^[A-Za-z0-9._-]{1,200}$/,
    text: "Client id in the brokers' logs and quotas.",
  }),
  KAFKA_ACKS: choice({
    default: 'all',
    of: ['all', '1', '0', '-1'],
    text: 'Kafka acknowledgment level (`-1` is `all`). Anything but `all` means at-least-once.',
  }),
  KAFKA_ENABLE_IDEMPOTENCE: boolean({
    default: 'true',
    text: 'Enable Kafka idempotent producer. `false` means at-least-once.',
  }),
  KAFKA_TRANSACTIONAL_ID_PREFIX: text({
    default: 'kafka-row-sender',
    type: 'letters, digits, . _ and -, at most 128',
    pattern: /^[A-Za-z0-9._-]{1,128}$/,
    text: 'Begins every transactional id, the marker group and the marker topic. Different for each deployment on one Kafka.',
  }),
  KAFKA_TRANSACTION_TIMEOUT: seconds({
    default: '40',
    min: 10,
    max: 900,
    text: 'Time after which Kafka aborts a transaction whose sender is gone (seconds).',
  }),
  KAFKA_PARTITIONER: choice({
    default: 'java',
    of: ['java', 'librdkafka'],
    text: "Which clients' partition a key goes to: murmur2 as in Java, or CRC32 as in librdkafka.",
  }),
  KAFKA_COMPRESSION: choice({
    default: 'none',
    of: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
    text: 'Compression of the records.',
  }),
};

export const KAFKA_SECURITY = {
  KAFKA_SSL: boolean({ default: 'false', text: 'Encrypt the connections to Kafka.' }),
  KAFKA_SSL_CA: pem({
    default: null,
    defaultText: "(the system's)",
    secret: false,
    text: "Certificate authority that signed the brokers' certificates.",
  }),
  KAFKA_SSL_CERT: pem({ default: null, secret: false, text: 'Client certificate for Kafka.' }),
  KAFKA_SSL_KEY: pem({ default: null, secret: true, text: 'Private key of the client certificate.' }),
  KAFKA_SSL_KEY_PASSWORD: secretText({ default: null, text: 'Passphrase of that key, where it is encrypted.' }),
  KAFKA_SSL_VERIFY: boolean({
    default: 'true',
    text: "Check the brokers' certificates and host names. `false` is for experiments only.",
  }),
  KAFKA_SASL_MECHANISM: choice({
    default: null,
    of: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'],
    text: 'How to log in to Kafka; unset means without a login.',
  }),
  KAFKA_SASL_USERNAME: plainText({ default: null, text: 'User name for PLAIN and SCRAM.' }),
  KAFKA_SASL_PASSWORD: secretText({ default: null, text: 'Password for PLAIN and SCRAM.' }),
  KAFKA_SASL_OAUTH_TOKEN_COMMAND: command({
    default: null,
    text: 'Program that prints an access token, for OAUTHBEARER. Spaces part its arguments; `\'..\'`, `".."` and `\\\\` keep them, or give a JSON list. No shell runs.',
  }),
  KAFKA_SASL_OAUTH_TOKEN_URL: url({
    default: null,
    protocols: ['https:', 'http:'],
    secret: false,
    text: 'Address that gives an access token for client credentials, for OAUTHBEARER.',
  }),
  KAFKA_SASL_OAUTH_CLIENT_ID: plainText({ default: null, text: 'Client id sent to the token address.' }),
  KAFKA_SASL_OAUTH_CLIENT_SECRET: secretText({
    default: null,
    text: 'Client secret sent to the token address.',
  }),
  KAFKA_SASL_OAUTH_SCOPE: plainText({ default: null, text: 'Scope asked of the token address.' }),
  KAFKA_SASL_OAUTH_EXTENSIONS: list({
    default: null,
    type: 'name=value, several separated by commas; a name has letters only and is not auth',
    pattern: /^(?!auth=)[A-Za-z]{1,64}=[\x20-\x7e]{1,1000}$/,
    entriesMax: EXTENSIONS_MAX,
    text: 'Sent beside the token, such as `logicalCluster=lkc-1,identityPoolId=pool-1`.',
  }),
};
