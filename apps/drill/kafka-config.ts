/** What an administrator sets while Kafka runs, and kafkajs cannot ask for: single settings of a topic, and quotas. */
import { connectKafka, type KafkaConnection } from '#kafka-delivery';
import { silentLogger } from '#runtime';
import type { KafkaAddress } from './kafka-admin.ts';

type Link = Awaited<ReturnType<ReturnType<KafkaConnection['brokers']>['any']>>;
type Request = Parameters<Link['ask']>[0];
type Writer = Parameters<Request['write']>[0];
type Reader = Parameters<Request['read']>[0];

const TOPIC = 2;
const SET = 0;
const DELETE = 1;
const DOUBLE_BYTES = 8;

/** Asks any broker, which hands it on to the controller. Throws unless every code is 0. */
async function change(
  { kafka }: KafkaAddress,
  { api, name }: Pick<Request, 'api' | 'name'>,
  write: (writer: Writer) => void,
  readCode: (reader: Reader) => number,
): Promise<void> {
  const brokers = connectKafka({
    brokers: kafka.bootstrap.split(','),
    clientId: 'krs-drill',
    logger: silentLogger,
    prefix: 'krs-drill',
    outboxTable: 'none',
  }).brokers();
  try {
    const link = await brokers.any();
    const codes = (await link.ask({
      ...{ api, name, version: 1, flexible: true },
      write: (writer) => {
        write(writer);
        writer.boolean(false).noTags(); // not only validated
      },
      read: (reader) => {
        reader.int32(); // throttle time
        return reader.compactArray(() => readCode(reader));
      },
    })) as readonly number[];
    if (codes.some((code) => code !== 0)) throw new Error(`${name} was answered with ${codes}`);
  } finally {
    await brokers.close();
  }
}

/** IncrementalAlterConfigs (KIP-339): null goes back to the broker's value. */
export async function setTopicConfig(
  servers: KafkaAddress,
  topic: string,
  configs: Readonly<Record<string, string | null>>,
): Promise<void> {
  await change(
    servers,
    { api: 44, name: 'IncrementalAlterConfigs' },
    (writer) =>
      writer.compactArray([topic], (name) => {
        writer.int8(TOPIC).compactString(name);
        writer.compactArray(Object.entries(configs), ([setting, value]) => {
          writer.compactString(setting).int8(value === null ? DELETE : SET);
          if (value === null) writer.compactNull();
          else writer.compactString(value);
          writer.noTags();
        });
        writer.noTags();
      }),
    (reader) => {
      const code = reader.int16();
      reader.compactString(); // message
      reader.int8();
      reader.compactString();
      reader.skipTags();
      return code;
    },
  );
}

export interface QuotaEntity {
  readonly type: 'client-id' | 'ip';
  readonly name: string;
}

function putDouble(writer: Writer, value: number): void {
  const bytes = Buffer.alloc(DOUBLE_BYTES);
  bytes.writeDoubleBE(value);
  for (const byte of bytes) writer.int8(byte > 127 ? byte - 256 : byte);
}

/** AlterClientQuotas (KIP-546): null takes it away. */
export async function setQuota(
  servers: KafkaAddress,
  entity: QuotaEntity,
  quota: string,
  value: number | null,
): Promise<void> {
  await change(
    servers,
    { api: 49, name: 'AlterClientQuotas' },
    (writer) =>
      writer.compactArray([entity], ({ type, name }) => {
        writer.compactArray([type], (each) => writer.compactString(each).compactString(name).noTags());
        writer.compactArray([quota], (key) => {
          writer.compactString(key);
          putDouble(writer, value ?? 0);
          writer.boolean(value === null).noTags();
        });
        writer.noTags();
      }),
    (reader) => {
      const code = reader.int16();
      reader.compactString(); // message
      reader.compactArray(() => {
        reader.compactString();
        reader.compactString();
        reader.skipTags();
      });
      reader.skipTags();
      return code;
    },
  );
}
