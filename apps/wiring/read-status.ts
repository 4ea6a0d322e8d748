/** Everything `status` shows, read from the database, and from Kafka and Redis where they answer. */
import { type Config, maskUrl, type SourceConfig } from '#config';
import type { Pool } from '#database';
import { createKafkaPortOn, createTopicAdmin, type KafkaConnection } from '#kafka-delivery';
import type { AsideState, LaneRow, LaneState, PositionRange, WatermarkState } from '#outbox';
import {
  countAside,
  createSenderStore,
  type LaneBacklog,
  listMembers,
  listWatermarks,
  type MemberStatus,
  outboxStatistics,
} from '#outbox-storage';
import { asRelayError, silentLogger } from '#runtime';
import { createSourceReader, type GapModeProof, proveGapMode } from '#source-polling';

/** A server that is not needed to read the status: whether it answers, and what it or its fault says. */
export interface ServerStatus {
  readonly reachable: boolean;
  readonly says: string;
}

export interface SourceStatus {
  readonly name: string;
  readonly table: string | null;
  /** Null: not known, because it is not configured. */
  readonly mode: SourceConfig['mode'] | null;
  /** False: a source of these tables that the settings do not name. */
  readonly configured: boolean;
  readonly leader: string | null;
  readonly epoch: number | null;
  /** Null: no writer has led the source yet. */
  readonly watermark: bigint | null;
  /** Highest position committed in the table; null when it is empty or cannot be read. */
  readonly highest: bigint | null;
  /** `highest` less `watermark`: ids, so rows at most. */
  readonly distance: bigint | null;
  readonly gaps: readonly PositionRange[];
  readonly gapMode: string | null;
  readonly gapModeReason: string | null;
  /** Why the table cannot be read. */
  readonly problem: string | null;
}

export interface LaneStatus {
  readonly lane: number;
  readonly source: string;
  readonly state: LaneState;
  readonly why: string | null;
  readonly holder: string | null;
  readonly lease: 'running' | 'lapsed' | 'free';
  readonly claimEpoch: number;
  readonly deliveredId: number | null;
  /** As in Kafka; -1 where there is none, null when Kafka was not asked or did not answer. */
  readonly marker: number | null;
  readonly backlog: number;
  /** True: at least `backlog`. */
  readonly capped: boolean;
  readonly oldestAgeMs: number | null;
}

export interface Status {
  readonly delivery: Config['deliveryMode'];
  readonly database: string;
  readonly kafka: ServerStatus;
  readonly redis: ServerStatus | null;
  readonly sources: readonly SourceStatus[];
  readonly lanes: readonly LaneStatus[];
  readonly members: readonly MemberStatus[];
  readonly backlog: { readonly rows: number; readonly capped: boolean; readonly oldestAgeMs: number | null };
  readonly aside: Readonly<Record<AsideState, number>>;
}

export interface ReadStatusOptions {
  readonly config: Config;
  readonly pool: Pool;
  /** Tries Kafka; a rejection says why it is away. */
  readonly kafka: () => Promise<KafkaConnection>;
  /** What was found out about the servers' locks, by setting; kept by a caller that looks more than once. */
  readonly proofs?: Map<string, GapModeProof>;
  /** Tries Redis. */
  readonly redis: (url: string) => Promise<void>;
}

/** Rejects with the database's faults only. */
export async function readStatus(options: ReadStatusOptions): Promise<Status> {
  const { config, pool } = options;
  const { tables } = config;
  const engine = await pool.engine();
  const watermarks = await listWatermarks(pool, tables);
  const laneRows = await createSenderStore({ pool, tables }).listLanes();
  const backlogs = await outboxStatistics(pool, tables);
  const [kafka, redis] = await Promise.all([lookAtKafka(options, laneRows), lookAtRedis(options)]);
  const lanes = laneRows.map((lane) => laneStatus(lane, backlogs, kafka.markers));
  return {
    delivery: config.deliveryMode,
    database: `${engine.kind} ${engine.version} at ${config.db.host}:${config.db.port}/${config.db.database}`,
    kafka: kafka.status,
    redis,
    sources: await readSources(options, watermarks),
    lanes,
    members: await listMembers(pool, tables),
    backlog: sumBacklog(lanes),
    aside: await countAside(pool, tables),
  };
}

function laneStatus(
  lane: LaneRow,
  backlogs: readonly LaneBacklog[],
  markers: ReadonlyMap<number, number> | null,
): LaneStatus {
  const { holder, leaseExpired } = lane;
  const backlog = backlogs.find((each) => each.lane === lane.lane);
  return {
    lane: lane.lane,
    source: lane.source,
    state: lane.state,
    why: lane.why,
    holder,
    lease: holder === null ? 'free' : leaseExpired ? 'lapsed' : 'running',
    claimEpoch: lane.claimEpoch,
    deliveredId: lane.deliveredId,
    marker: markers?.get(lane.lane) ?? null,
    backlog: backlog?.rows ?? 0,
    capped: backlog?.capped ?? false,
    oldestAgeMs: backlog?.oldestAgeMs ?? null,
  };
}

function sumBacklog(lanes: readonly LaneStatus[]): Status['backlog'] {
  const ages = lanes.flatMap(({ oldestAgeMs }) => (oldestAgeMs === null ? [] : [oldestAgeMs]));
  return {
    rows: lanes.reduce((sum, { backlog }) => sum + backlog, 0),
    capped: lanes.some(({ capped }) => capped),
    oldestAgeMs: ages.length === 0 ? null : Math.max(...ages),
  };
}

async function lookAtKafka(
  { config, kafka }: ReadStatusOptions,
  lanes: readonly LaneRow[],
): Promise<{ readonly status: ServerStatus; readonly markers: ReadonlyMap<number, number> | null }> {
  const servers = config.kafka.bootstrapServers.join(',');
  try {
    const connection = await kafka();
    const markers = await readLaneMarkers(config, connection, lanes);
    if (markers !== null) return { status: { reachable: true, says: servers }, markers };
    const says = `${servers}; marker topic ${config.kafka.markerTopic} is missing or too small: run init`;
    return { status: { reachable: true, says }, markers: null };
  } catch (thrown) {
    return { status: { reachable: false, says: asRelayError(thrown).message }, markers: null };
  }
}

/** Markers by lane; null when the marker topic has no place for all of them. Empty in the at-least-once mode, which has none. */
export async function readLaneMarkers(
  config: Config,
  connection: KafkaConnection,
  lanes: readonly Pick<LaneRow, 'lane'>[],
): Promise<ReadonlyMap<number, number> | null> {
  if (config.deliveryMode !== 'exactly-once' || lanes.length === 0) return new Map();
  const admin = createTopicAdmin(connection);
  const port = createKafkaPortOn(connection);
  try {
    const topic = config.kafka.markerTopic;
    const partitions = (await admin.describeTopics([topic])).get(topic) ?? 0;
    const numbers = lanes.map(({ lane }) => lane);
    if (partitions <= Math.max(...numbers)) return null;
    return await port.readMarkers('lane', numbers);
  } finally {
    await port.close();
    await admin.close();
  }
}

async function lookAtRedis({ config, redis }: ReadStatusOptions): Promise<ServerStatus | null> {
  const { url } = config.redis;
  if (url === null) return null;
  try {
    await redis(url);
    return { reachable: true, says: maskUrl(url) };
  } catch (thrown) {
    return { reachable: false, says: asRelayError(thrown).message };
  }
}

async function readSources(
  { config, pool, proofs = new Map() }: ReadStatusOptions,
  watermarks: readonly WatermarkState[],
): Promise<readonly SourceStatus[]> {
  const found = new Map(watermarks.map((watermark) => [watermark.source, watermark]));
  const sources: SourceStatus[] = [];
  for (const source of config.sources) {
    const table = await lookAtTable(pool, source, proofs);
    sources.push(
      sourceStatus(source.name, found.get(source.name), {
        ...table,
        table: source.table,
        mode: source.mode,
        configured: true,
      }),
    );
    found.delete(source.name);
  }
  const unknown = {
    table: null,
    mode: null,
    configured: false,
    highest: null,
    gapMode: null,
    gapModeReason: null,
    problem: null,
  };
  for (const [name, watermark] of found) sources.push(sourceStatus(name, watermark, unknown));
  return sources;
}

type TableFacts = Pick<SourceStatus, 'highest' | 'gapMode' | 'gapModeReason' | 'problem'>;

function sourceStatus(
  name: string,
  watermark: WatermarkState | undefined,
  facts: TableFacts & Pick<SourceStatus, 'table' | 'mode' | 'configured'>,
): SourceStatus {
  const position = watermark?.position ?? null;
  const { highest } = facts;
  const distance = highest === null || position === null ? null : highest > position ? highest - position : 0n;
  return {
    ...facts,
    name,
    leader: watermark?.leader ?? null,
    epoch: watermark?.epoch ?? null,
    watermark: position,
    distance,
    gaps: watermark?.gaps ?? [],
  };
}

/** A table that cannot be read spoils its own line only; a database that went away is thrown. */
async function lookAtTable(pool: Pool, source: SourceConfig, proofs: Map<string, GapModeProof>): Promise<TableFacts> {
  try {
    const proof = proofs.get(source.gapMode) ?? (await proveGapMode({ pool, wanted: source.gapMode }));
    proofs.set(source.gapMode, proof);
    const reader = await createSourceReader({ pool, source, gapMode: proof.mode, logger: silentLogger });
    const highest = await reader.highestPosition();
    return { highest, gapMode: proof.mode, gapModeReason: proof.reason, problem: null };
  } catch (thrown) {
    const error = asRelayError(thrown);
    if (error.verdict === 'retry') throw error;
    return { highest: null, gapMode: null, gapModeReason: null, problem: error.message };
  }
}
