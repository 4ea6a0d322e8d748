/** The operator's side of an outbox in an SQLite file. */
import type { Config } from '#config';
import {
  ConsumeQueue,
  countAside,
  createSenderStore,
  createSourceReader,
  createWriterStore,
  dropDead,
  fileIdOf,
  listDeadLetters,
  listMembers,
  listWaiting,
  listWatermarks,
  outboxStatistics,
  pauseLane,
  reportStalls,
  requeueDead,
  resumeLane,
  type SqliteFile,
} from '#sqlite-storage';
import type { Operator } from '../wiring/operator.ts';
import { kafkaView } from './kafka-view.ts';

/** Rejects with DB_SCHEMA when the tables are not in the file. */
export async function sqliteOperator(file: SqliteFile, config: Config): Promise<Operator> {
  const options = { file, tables: config.tables };
  const fileId = await fileIdOf(file, config.tables);
  const sender = createSenderStore(options);
  const writer = createWriterStore(options);
  return {
    kafkaConfig: kafkaView(config, fileId),
    describe: async () => `SQLite file ${file.path} (${fileId})`,
    // Looked at above: the id is in the tables.
    checkSchema: async () => undefined,
    listWatermarks: () => listWatermarks(options),
    // SQLite's gaps never open.
    sumGaps: async () => new Map(),
    listMembers: () => listMembers(options),
    reportStalls: (memberId, stalls) => reportStalls(options, memberId, stalls),
    outboxStatistics: (countMax) => outboxStatistics(options, countMax),
    listQueues: (lanes) => sender.listQueues(lanes),
    countAside: () => countAside(options),
    listWaiting: () => listWaiting(options),
    listLanes: () => sender.listLanes(),
    nextSequenceOf: (lane) => sender.nextSequenceOf(lane),
    loadWatermark: (source) => writer.loadWatermark(source),
    loadTableFacts: (source) => writer.loadTableFacts(source),
    loadGaps: (source) => writer.loadGaps(source),
    openReader: (source) =>
      source.mode === 'append'
        ? createSourceReader({ file, source })
        : new ConsumeQueue({ file, source, fileId }).openReader(),
    acceptSource: (acceptance) => writer.acceptSource(acceptance),
    pauseLane: (lane, why) => pauseLane(options, lane, why),
    resumeLane: (lane, from) => resumeLane(options, lane, from),
    listDeadLetters: (wanted) => listDeadLetters(options, wanted),
    requeueDead: (id) => requeueDead(options, id),
    dropDead: (id) => dropDead(options, id),
  };
}
