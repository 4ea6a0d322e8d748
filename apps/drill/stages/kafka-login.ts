/**
 * The processes' user of a broker: SCRAM, whose passwords a broker changes while it runs, and the file in which the
 * processes find theirs when they start. Sessions that are open outlive a change of the password until they must log in anew.
 */
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { connectKafka, type KafkaConnection, type SaslOptions } from '#kafka-delivery';
import { asRelayError, silentLogger } from '#runtime';
import { until } from '#testkit';

export interface KafkaLogin {
  /** `host:port` of the listener that asks for the login. */
  readonly address: string;
  /** The processes' settings, whole names. */
  readonly env: Readonly<Record<string, string>>;
  /** Resolves when the broker takes this password and no other. */
  change(password: string): Promise<void>;
  /** What processes that start have for their password. */
  readonly written: string;
  write(password: string): void;
}

export interface KafkaLoginPlan {
  /** Of the listener that lets everybody in. */
  readonly bootstrap: string;
  readonly address: string;
  readonly file: string;
}

const USER = 'relay';
const MECHANISM = 'SCRAM-SHA-512';
/** The fewest that a broker takes; nobody is to crack this one. */
const ITERATIONS = 4_096;
const SALT_BYTES = 16;
const DIGEST_BYTES = 64;
const TAKEN_DEADLINE_MS = 30_000;
/**
 * Every session must log in anew within this time (KIP-368), or the broker ends it. kafkajs does so ten seconds before, and at
 * each request when there are no ten seconds.
 */
const SESSION_MS = 15_000;
const PREFIX = 'KAFKA_ROW_SENDER_KAFKA_SASL_';

/** Settings of the broker. */
export const WITH_LOGIN = {
  'listener.name.login.sasl.enabled.mechanisms': MECHANISM,
  'listener.name.login.scram-sha-512.sasl.jaas.config':
    'org.apache.kafka.common.security.scram.ScramLoginModule required;',
  'listener.name.login.scram-sha-512.connections.max.reauth.ms': SESSION_MS,
} as const;

export function createKafkaLogin({ bootstrap, address, file }: KafkaLoginPlan): KafkaLogin {
  let written = '';
  return {
    address,
    get written() {
      return written;
    },
    env: {
      [`${PREFIX}MECHANISM`]: MECHANISM,
      [`${PREFIX}USERNAME`]: USER,
      [`${PREFIX}PASSWORD_FILE`]: file,
    },
    change: async (password) => {
      await alterCredentials(connect(bootstrap), password);
      const sasl = { mechanism: 'scram-sha-512', username: USER, password } as const;
      await until('the broker to take the password', () => letsIn(connect(address, sasl)), TAKEN_DEADLINE_MS);
    },
    write: (password) => {
      written = password;
      writeFileSync(file, `${password}\n`, { mode: 0o600 });
    },
  };
}

const connect = (broker: string, sasl?: SaslOptions): KafkaConnection =>
  connectKafka({
    brokers: [broker],
    clientId: 'krs-drill',
    logger: silentLogger,
    prefix: 'krs-drill',
    outboxTable: 'none',
    ...(sasl === undefined ? {} : { sasl }),
  });

async function letsIn(connection: KafkaConnection): Promise<boolean> {
  const brokers = connection.brokers();
  try {
    await brokers.any();
    return true;
  } catch (thrown) {
    const error = asRelayError(thrown);
    if (error.code !== 'KAFKA_REFUSED') throw error;
    return false;
  } finally {
    await brokers.close();
  }
}

/** AlterUserScramCredentials v0 (KIP-554): the broker never learns the password itself. */
async function alterCredentials(connection: KafkaConnection, password: string): Promise<void> {
  const salt = randomBytes(SALT_BYTES);
  const salted = pbkdf2Sync(password, salt, ITERATIONS, DIGEST_BYTES, 'sha512');
  const brokers = connection.brokers();
  try {
    const link = await brokers.any();
    const codes = await link.ask({
      api: 51,
      name: 'AlterUserScramCredentials',
      version: 0,
      flexible: true,
      write: (writer) => {
        // None to delete, one to set: user, SCRAM-SHA-512, iterations, salt, salted password.
        writer
          .compactArray([], () => undefined)
          .compactArray([USER], (user) => {
            writer.compactString(user).int8(2).int32(ITERATIONS);
            for (const bytes of [salt, salted]) {
              writer.unsignedVarint(bytes.length + 1);
              for (const byte of bytes) writer.int8(byte > 127 ? byte - 256 : byte);
            }
            writer.noTags();
          });
        writer.noTags();
      },
      read: (reader) => {
        reader.int32(); // throttle time
        return reader.compactArray(() => {
          reader.compactString(); // user
          const code = reader.int16();
          reader.compactString(); // message
          reader.skipTags();
          return code;
        });
      },
    });
    if (codes.length !== 1 || codes[0] !== 0) throw new Error(`the broker took no new password: ${codes}`);
  } finally {
    await brokers.close();
  }
}
