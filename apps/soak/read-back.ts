/** After the load: the table as it is in the end, and every record as a read_committed reader sees it, into oracle and history. */
import mysql from 'mysql2/promise';
import { loadConfig } from '#config';
import { connectKafka, readTopics } from '#kafka-delivery';
import { silentLogger } from '#runtime';
import {
  BookCheck,
  type BookResult,
  type Deployment,
  type HistoryWriter,
  ROWLESS_TABLE,
  readRowlessRecord,
  type TransactionBook,
} from '#testkit';
import { kafkaOptions } from '../wiring/open-kafka.ts';

const PAGE_ROWS = 20_000;
const STALL_MS_MAX = 60_000;

export async function readBack(
  deployment: Deployment,
  book: TransactionBook,
  history: HistoryWriter | null,
): Promise<BookResult> {
  const check = new BookCheck(book);
  await readTable(deployment, check, book, history);
  await readTopic(deployment, check, history);
  return check.result();
}

async function readTable(
  { database }: Deployment,
  check: BookCheck,
  book: TransactionBook,
  history: HistoryWriter | null,
): Promise<void> {
  const { host, port, user, password, name } = database;
  const decided = new Set<number>();
  const connection = await mysql.createConnection({ host, port, user, password, database: name });
  try {
    for (let after = 0; ; ) {
      const [rows] = await connection.query<mysql.RowDataPacket[]>(
        `SELECT id, k, token, version FROM ${ROWLESS_TABLE} WHERE id > ? ORDER BY id LIMIT ${PAGE_ROWS}`,
        [after],
      );
      for (const { id, k, token, version } of rows) {
        const transaction = book.found(token);
        if (transaction !== null && !decided.has(transaction)) {
          decided.add(transaction);
          history?.decision(transaction);
        }
        check.row({ id, key: k, token });
        history?.row({ id: String(id), key: k, token: String(token), version, promised: !book.isLow(token) });
      }
      if (rows.length < PAGE_ROWS) return;
      after = rows.at(-1)?.id;
    }
  } finally {
    connection.destroy();
  }
}

async function readTopic({ env, topic }: Deployment, check: BookCheck, history: HistoryWriter | null): Promise<void> {
  const connection = connectKafka(kafkaOptions(loadConfig({ env }).config, silentLogger));
  const options = { topics: [topic], withValues: true, to: 'written', stallMsMax: STALL_MS_MAX } as const;
  for await (const { records, partition } of readTopics(connection, options)) {
    for (const { value, headers, key, offset } of records) {
      const { token, version } = readRowlessRecord(value);
      const eventId = headers.id ?? '';
      const outboxId = headers['outbox-id'] ?? '';
      const id = Number(eventId.split(':')[1]);
      check.record({ id, token, version, key: key?.toString() ?? '', partition, outboxId: Number(outboxId) });
      history?.record({
        ...{ topic, partition, offset: String(offset), key: key?.toString() ?? null },
        ...{ eventId, outboxId, token: String(token), version },
      });
    }
  }
}
