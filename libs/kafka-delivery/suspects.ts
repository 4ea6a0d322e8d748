/** Asks, after a fault at sending, whether the records are to blame and not the broker. */
import { RelayError } from '#runtime';
import type { BrokerLink } from './broker-link.ts';
import type { Brokers } from './brokers.ts';
import type { Closings } from './closings.ts';
import { faultOfThrown } from './fault-table.ts';
import type { SizeBook } from './size-book.ts';
import type { PartitionFlow } from './wire/produce-request.ts';
import { batchBytesOf } from './wire/record-batch.ts';

export interface Suspects {
  taken(link: BrokerLink): void;
  /** The fault to go on with; null: as it is. */
  judge(link: BrokerLink, flows: readonly PartitionFlow[], thrown: unknown): Promise<RelayError | null>;
}

/** What Node and kafkajs call a connection that the other side closed. */
const CLOSED: readonly unknown[] = ['CONNECTION', 'ECONNRESET', 'EPIPE'];
/** What a broker says that has met something which it does not expect. */
const UNEXPECTED: readonly unknown[] = ['UNKNOWN_SERVER_ERROR', 'INVALID_REQUEST'];

const nameOf = ({ host, port }: BrokerLink): string => `${host}:${port}`;

export function createSuspects(brokers: Brokers, closings: Closings, limits: SizeBook): Suspects {
  return {
    taken: (link) => closings.taken(nameOf(link)),
    judge: async (link, flows, thrown) => {
      const fault = faultOfThrown(thrown, { step: 'send' });
      const { type, posted, topic, partition } = fault.details;
      const closed = posted === true && CLOSED.includes(type);
      if (!closed && !UNEXPECTED.includes(type)) return null;
      const broker = nameOf(link);
      if (closed && !(await brokers.answers(link))) {
        closings.away(broker);
        return null;
      }
      const records = flows.flatMap((flow) => flow.records);
      const bytes = records.reduce((sum, record) => sum + batchBytesOf(record), 0);
      if (closings.closed(broker, { records: records.length, bytes }) === 'world') return null;
      if (closed && records.length === 1) limits.refused(broker, bytes);
      const what = records.length === 1 ? `at a record of ${bytes} bytes` : `at one of ${records.length} records`;
      const why = closed
        ? `broker ${broker} closes the connection ${what}, and answers everything else: it is larger than socket.request.max.bytes, or trips the broker. Raise that setting, or see the broker's log`
        : `broker ${broker} answers ${type} ${what}, again: see its log`;
      const where = typeof topic === 'string' ? { topic, partition: partition ?? null } : {};
      const details = { step: 'send', type: closed ? 'CONNECTION_CLOSED' : String(type), ...where };
      return new RelayError('KAFKA_RECORD_REFUSED', why, { cause: fault, details });
    },
  };
}
