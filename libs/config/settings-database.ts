/** The rows of the table about the database connection and the relay's own tables. */
import { boolean, host, identifier, integer, pem, plainText, seconds, secretText, text } from './setting.ts';

export const SQLITE_SCHEME = 'sqlite:';

export const DATABASE = {
  DB: text({
    default: null,
    defaultText: '(a server)',
    type: 'sqlite:PATH',
    pattern: /^sqlite:[^\p{Cc}]+$/u,
    text: 'An SQLite file instead of a server, such as `sqlite:./app.db`; `DB_HOST` and its like are then not used.',
  }),
  DB_HOST: host({ default: 'localhost', portSetting: 'DB_PORT', text: 'Database host.' }),
  DB_PORT: integer({ default: '3306', min: 1, max: 65535, text: 'Database port.' }),
  DB_SOCKET: plainText({
    default: null,
    defaultText: '(none: host and port)',
    text: 'Unix socket of the database, instead of `DB_HOST` and `DB_PORT`; TLS is then not used.',
  }),
  DB_USER: plainText({ default: null, required: true, text: 'Database user name.' }),
  DB_PASSWORD: secretText({
    default: null,
    defaultText: '(empty)',
    text: 'Database password.',
  }),
  DB_NAME: identifier({ default: null, required: true, text: 'Database name.' }),
  DB_CONNECT_TIMEOUT: seconds({
    default: '10',
    min: 0.1,
    max: 3600,
    text: 'Database connection timeout (seconds).',
  }),
  DB_READ_TIMEOUT: seconds({
    default: '30',
    min: 0.1,
    max: 3600,
    text: 'Database read timeout (seconds): the longest wait for the answer to a statement.',
  }),
  DB_SSL: boolean({ default: 'false', text: 'Encrypt the database connection.' }),
  DB_SSL_CA: pem({
    default: null,
    defaultText: "(the system's)",
    secret: false,
    text: 'Certificate authority that signed the database certificate.',
  }),
  DB_SSL_CERT: pem({ default: null, secret: false, text: 'Client certificate for the database.' }),
  DB_SSL_KEY: pem({ default: null, secret: true, text: 'Private key of the client certificate.' }),
  DB_SSL_KEY_PASSWORD: secretText({ default: null, text: 'Passphrase of that key, where it is encrypted.' }),
  DB_SSL_VERIFY: boolean({
    default: 'true',
    text: 'Check the database certificate and its host name. `false` is for experiments only.',
  }),
};

export const TABLES = {
  OUTBOX_TABLE: identifier({
    default: 'kafka_row_sender_outbox',
    text: 'Table of the messages waiting for Kafka. Its name is part of the marker group.',
  }),
  WATERMARK_TABLE: identifier({
    default: 'kafka_row_sender_watermark',
    text: 'Table that says how far each source has been moved.',
  }),
  LANE_TABLE: identifier({
    default: 'kafka_row_sender_lane',
    text: 'Table of the lanes and who holds them.',
  }),
  MEMBER_TABLE: identifier({
    default: 'kafka_row_sender_member',
    text: 'Table of the heartbeats of writers and senders.',
  }),
  DEAD_LETTER_TABLE: identifier({
    default: 'kafka_row_sender_dead_letter',
    text: 'Table of the rows that Kafka refused.',
  }),
  TOPIC_TABLE: identifier({
    default: 'kafka_row_sender_topic',
    text: 'Table of the topics that rows were sent to.',
  }),
  GAP_TABLE: identifier({
    default: 'kafka_row_sender_gap',
    text: 'Table of the ids of sources that may still become rows.',
  }),
  SOURCE_FACTS_TABLE: identifier({
    default: 'kafka_row_sender_source_facts',
    text: 'Table of what was last seen of each source table: its columns, and what tells it from another one of its name.',
  }),
};
