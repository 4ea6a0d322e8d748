/** The rows of the table about the writer, the sender, Redis and the processes themselves. */
import {
  boolean,
  choice,
  host,
  integer,
  pem,
  plainText,
  redisAddress,
  seconds,
  secretText,
  text,
  url,
} from './setting.ts';

const MIB = 1024 * 1024;
const BATCH_ROWS_MAX = 100_000;
const BATCH_BYTES = { min: 1024, max: 64 * MIB, unit: 'bytes' } as const;

export const WRITER = {
  OUTBOX_WRITER_POLL_INTERVAL: seconds({
    default: '1.0',
    min: 0.01,
    max: 3600,
    text: 'Seconds between source table polls when idle. A writer that finds full batches does not wait.',
  }),
  OUTBOX_WRITER_BATCH_SIZE: integer({
    default: '1000',
    min: 1,
    max: BATCH_ROWS_MAX,
    text: 'Max rows to process per batch.',
  }),
  WRITER_BATCH_BYTES: integer({
    default: String(4 * MIB),
    ...BATCH_BYTES,
    text: "Max bytes to process per batch; the first row always fits. Keep it well below the database's max_allowed_packet.",
  }),
  WRITER_LOCK_TTL: seconds({
    default: '10',
    min: 3,
    max: 3600,
    text: 'Lifetime of the leader lock: a standby takes over this long after a writer died (seconds).',
  }),
};

export const SENDER = {
  KAFKA_SENDER_POLL_INTERVAL: seconds({
    default: '0.5',
    min: 0.01,
    max: 3600,
    text: 'Seconds between outbox polls when idle. The doorbell wakes a sender sooner.',
  }),
  KAFKA_SENDER_BATCH_SIZE: integer({
    default: '500',
    min: 1,
    max: BATCH_ROWS_MAX,
    text: 'Max messages to send per batch.',
  }),
  SENDER_BATCH_BYTES: integer({
    default: String(4 * MIB),
    ...BATCH_BYTES,
    text: 'Max bytes to send per batch; the first message always fits.',
  }),
  LANE_LEASE: seconds({
    default: '15',
    min: 5,
    max: 3600,
    text: "Lifetime of a sender's claim on its lanes (seconds).",
  }),
  KAFKA_RETRY_BACKOFF_BASE: seconds({
    default: '1.0',
    min: 0.01,
    max: 3600,
    text: 'Initial retry backoff (seconds).',
  }),
  KAFKA_RETRY_BACKOFF_MAX: seconds({
    default: '60.0',
    min: 0.01,
    max: 86_400,
    text: 'Maximum retry backoff (seconds).',
  }),
  KAFKA_MAX_RETRIES: integer({
    default: '100',
    min: 0,
    max: 1_000_000,
    text: 'Max retries of a message that Kafka refuses, before `ROW_FAULT_POLICY` applies. An unreachable Kafka uses up no retries.',
  }),
  ROW_FAULT_POLICY: choice({
    default: 'dead-letter',
    of: ['dead-letter', 'park-key', 'halt'],
    text: "What becomes of a refused message: set aside, set aside with its key's later rows waiting behind it, or halt the lane.",
  }),
  OVERSIZE: choice({
    default: 'dead-letter',
    of: ['dead-letter', 'chunk'],
    text: 'What becomes of a row larger than its topic takes: refused by Kafka, as `ROW_FAULT_POLICY` says, or sent in chunks, which the retriable consumer joins.',
  }),
  DEAD_LETTER_RETENTION: seconds({
    default: null,
    defaultText: '(kept for ever)',
    min: 60,
    max: 10 * 366 * 86_400,
    text: 'Dead letters older than this are deleted (seconds). On a server it needs `REDIS_URL`, whose background jobs do it.',
  }),
};

export const REDIS = {
  REDIS_URL: redisAddress({
    default: null,
    text: 'Redis address, for leader lock, doorbell and background jobs. Without it everything works through the database, and also while Redis is away.',
  }),
  REDIS_USERNAME: plainText({ default: null, text: 'User for Redis (ACL); overrides that of `REDIS_URL`.' }),
  REDIS_PASSWORD: secretText({ default: null, text: 'Password for Redis; overrides that of `REDIS_URL`.' }),
  REDIS_SENTINEL_USERNAME: plainText({ default: null, text: 'User for the sentinels, where they want one.' }),
  REDIS_SENTINEL_PASSWORD: secretText({ default: null, text: 'Password for the sentinels, where they want one.' }),
  REDIS_SSL_CA: pem({
    default: null,
    defaultText: "(the system's)",
    secret: false,
    text: 'Certificate authority that signed the certificate of Redis. `REDIS_URL` begins with `rediss` then, as for the next three.',
  }),
  REDIS_SSL_CERT: pem({ default: null, secret: false, text: 'Client certificate for Redis.' }),
  REDIS_SSL_KEY: pem({ default: null, secret: true, text: 'Private key of the client certificate.' }),
  REDIS_SSL_VERIFY: boolean({
    default: 'true',
    text: 'Check the certificate of Redis and its host name. `false` is for experiments only.',
  }),
  REDIS_PREFIX: text({
    default: 'kafka_row_sender',
    type: 'letters, digits, _ . : and -, at most 64',
    pattern: /^[A-Za-z0-9_.:-]{1,64}$/,
    text: 'Begins the name of every key and channel.',
  }),
};

export const SERVICE = {
  CONFIG: plainText({ default: null, text: 'Path of a YAML file with settings and `sources`.' }),
  INSTANCE_ID: text({
    default: null,
    defaultText: '(generated)',
    type: 'letters, digits, . _ and -, at most 100',
    pattern: /^[A-Za-z0-9._-]{1,100}$/,
    text: 'Name of this process, different for each; part of its transactional id.',
  }),
  SHUTDOWN_TIMEOUT: seconds({
    default: '25',
    min: 1,
    max: 3600,
    text: 'Time that a stopping process has to finish what is in flight (seconds).',
  }),
  HTTP_HOST: host({
    default: '127.0.0.1',
    portSetting: 'HTTP_PORT',
    text: 'Address that health and metrics are served on.',
  }),
  HTTP_PORT: integer({
    default: null,
    defaultText: '(not served)',
    min: 0,
    max: 65535,
    text: 'Port of `/healthz`, `/livez`, `/readyz` and `/metrics`; 0 takes any free one.',
  }),
  STALL_AFTER_SECONDS: seconds({
    default: '60',
    min: 1,
    max: 86_400,
    text: 'Rows that wait for so long without one that moved are a stall: `/healthz`, `status`, metrics, log and webhook say why (seconds). Above the longest time that a transaction may take.',
  }),
  NOTIFY_WEBHOOK_URL: url({
    default: null,
    protocols: ['http:', 'https:'],
    secret: true,
    text: 'Gets a POST with JSON when the relay needs somebody: a row given up, a lane or source halted, rows that do not move, a fault that lasts, and its end.',
  }),
  NOTIFY_AFTER_RETRIES: integer({
    default: '5',
    min: 1,
    max: 1_000_000,
    text: 'How often the same thing fails in a row before `NOTIFY_WEBHOOK_URL` is told.',
  }),
  LOG_LEVEL: choice({
    default: 'info',
    of: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    text: 'Least important lines that are logged.',
  }),
};
