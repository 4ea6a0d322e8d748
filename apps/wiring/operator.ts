/** What commands and metrics ask of the outbox and change in it, wherever its tables are. */
import type { Config, SourceConfig } from '#config';
import type { Pool } from '#database';
import type {
  AsideQueue,
  AsideState,
  GapSums,
  LaneBacklog,
  LaneRow,
  MemberStatus,
  SourceAcceptance,
  SourceReader,
  StoredGapPage,
  TableFacts,
  WaitingRow,
  WatermarkState,
} from '#outbox';
import {
  checkSchema,
  countAside,
  createSenderStore,
  createWriterStore,
  type DeadLetter,
  dropDead,
  type ListAsideOptions,
  listDeadLetters,
  listMembers,
  listWaiting,
  listWatermarks,
  outboxStatistics,
  pauseLane,
  type ResumeFrom,
  reportStalls,
  requeueDead,
  resumeLane,
  sumGaps,
} from '#outbox-storage';
import { addressText, silentLogger } from '#runtime';
import { createSourceReader } from '#source-polling';

export interface Operator {
  /** The settings as Kafka is to be asked with them: they name the marker group. */
  readonly kafkaConfig: Config;
  /** What `status` calls the database. */
  describe(): Promise<string>;
  /** Rejects with DB_SCHEMA when `init` has not been run. */
  checkSchema(): Promise<void>;
  listWatermarks(): Promise<readonly WatermarkState[]>;
  /** Open gaps by source. */
  sumGaps(): Promise<ReadonlyMap<string, GapSums>>;
  listMembers(): Promise<readonly MemberStatus[]>;
  /** For `listMembers`; null: nothing stands. */
  reportStalls(memberId: string, stalls: string | null): Promise<void>;
  /** Counts each lane to a bound. */
  outboxStatistics(countMax?: number): Promise<readonly LaneBacklog[]>;
  /** What rows set aside wait for, by lane and target. */
  listQueues(lanes: readonly number[]): Promise<readonly AsideQueue[]>;
  countAside(): Promise<Readonly<Record<AsideState, number>>>;
  listWaiting(): AsyncIterable<readonly WaitingRow[]>;
  listLanes(): Promise<readonly LaneRow[]>;
  nextSequenceOf(lane: number): Promise<number>;
  loadWatermark(source: string): Promise<WatermarkState | null>;
  loadTableFacts(source: string): Promise<TableFacts | null>;
  loadGaps(source: string): Promise<readonly StoredGapPage[]>;
  /** A reader of the table as it is now, for a source in mode `append`. */
  openReader(source: SourceConfig): Promise<SourceReader>;
  acceptSource(acceptance: SourceAcceptance): Promise<boolean>;
  pauseLane(lane: number, why: string): Promise<boolean>;
  resumeLane(lane: number, from?: ResumeFrom): Promise<boolean>;
  listDeadLetters(options: ListAsideOptions): Promise<readonly DeadLetter[]>;
  requeueDead(id: number): Promise<boolean>;
  dropDead(id: number): Promise<boolean>;
}

export function poolOperator(pool: Pool, config: Config): Operator {
  const { tables } = config;
  const sender = createSenderStore({ pool, tables });
  const writer = createWriterStore({ pool, tables });
  return {
    kafkaConfig: config,
    describe: async () => {
      const { name } = await pool.engine();
      return `${name} at ${addressText(config.db.host, config.db.port)}/${config.db.database}`;
    },
    checkSchema: () => checkSchema(pool, tables),
    listWatermarks: () => listWatermarks(pool, tables),
    sumGaps: () => sumGaps(pool, tables),
    listMembers: () => listMembers(pool, tables),
    reportStalls: (memberId, stalls) => reportStalls(pool, tables, memberId, stalls),
    outboxStatistics: (countMax) => outboxStatistics(pool, tables, countMax),
    listQueues: (lanes) => sender.listQueues(lanes),
    countAside: () => countAside(pool, tables),
    listWaiting: () => listWaiting({ pool, tables }),
    listLanes: () => sender.listLanes(),
    nextSequenceOf: (lane) => sender.nextSequenceOf(lane),
    loadWatermark: (source) => writer.loadWatermark(source),
    loadTableFacts: (source) => writer.loadTableFacts(source),
    loadGaps: (source) => writer.loadGaps(source),
    openReader: (source) => createSourceReader({ pool, source, gapMode: 'time', logger: silentLogger }),
    acceptSource: (acceptance) => writer.acceptSource(acceptance),
    pauseLane: (lane, why) => pauseLane(pool, tables, lane, why),
    resumeLane: (lane, from) => resumeLane(pool, tables, lane, from),
    listDeadLetters: (options) => listDeadLetters(pool, tables, options),
    requeueDead: (id) => requeueDead(pool, tables, id),
    dropDead: (id) => dropDead(pool, tables, id),
  };
}
