/** Everything `status` shows, read from the database, and from Kafka and Redis where they answer. */
import type { Config, SourceConfig } from '#config';
import type { Pool } from '#database';
import type { KafkaConnection } from '#kafka-delivery';
import { type ElectedBy, whoElected } from '#leader-election';
import {
  type AsideState,
  currentIncarnation,
  type GapSums,
  howToGoOn,
  type MemberStatus,
  type RunningTransaction,
  type WatermarkState,
} from '#outbox';
import type { RedisTarget } from '#redis';
import { asRelayError, type Stall, showRedisAddress, silentLogger, systemClock } from '#runtime';
import { createSourceReader, type GapModeProof, listerOf, proveGapMode } from '#source-polling';
import { betterMode, promiseFor } from './gap-mode-promise.ts';
import { databaseLockPrefix } from './open-coordination.ts';
import type { Operator } from './operator.ts';
import { type LaneStatus, readLanes, type ServerStatus } from './read-lanes.ts';
import { redisTarget } from './redis-target.ts';
import { statusStalls } from './status-stalls.ts';
import { type WaitingTarget, waitingTargets } from './waiting-targets.ts';

export interface SourceStatus {
  readonly name: string;
  readonly table: string | null;
  /** Null: not known, because it is not configured. */
  readonly mode: SourceConfig['mode'] | null;
  /** False: a source of these tables that the settings do not name. */
  readonly configured: boolean;
  readonly leader: string | null;
  /** Whose lock its leader has; null: nobody has one, or that cannot be seen. */
  readonly electedBy: ElectedBy | null;
  readonly epoch: number | null;
  /** Null: no writer has led the source yet. */
  readonly watermark: bigint | null;
  /** Highest position committed in the table; null when it is empty or cannot be read. */
  readonly highest: bigint | null;
  /** `highest` less `watermark`: ids, so rows at most. */
  readonly distance: bigint | null;
  /** Ids that may still become rows; null without any. */
  readonly gaps: GapSums | null;
  readonly gapMode: string | null;
  readonly gapModeReason: string | null;
  /** What the gap mode promises, and the statement that makes it better, if there is one. */
  readonly gapModePromise: string | null;
  readonly gapModeBetter: string | null;
  /** Why the table cannot be read. */
  readonly problem: string | null;
  /** Why no writer leads the source until an operator accepts it, and the command that helps; null while it runs. */
  readonly halted: string | null;
  /** How often ids have begun anew; 1 at first. */
  readonly incarnation: number;
}

/** The running transactions that may own missing ids. */
export interface GapHolders {
  readonly transactions: number;
  /** Of the oldest; null: a prepared XA transaction, which has none any more. */
  readonly connection: string | null;
  /** As the server writes it, in its own time zone. */
  readonly since: string;
}

export interface Status {
  readonly delivery: Config['deliveryMode'];
  readonly database: string;
  readonly kafka: ServerStatus;
  readonly redis: ServerStatus | null;
  readonly sources: readonly SourceStatus[];
  /** Null: no gaps are open in gap mode `transactions`, or nobody holds them, or that could not be found out. */
  readonly gapHolders: GapHolders | null;
  readonly lanes: readonly LaneStatus[];
  readonly members: readonly MemberStatus[];
  readonly backlog: { readonly rows: number; readonly capped: boolean; readonly oldestAgeMs: number | null };
  readonly aside: Readonly<Record<AsideState, number>>;
  /** What stands and why, the worst first. */
  readonly stalls: readonly Stall[];
  /** Topics and partitions that take nothing, of which rows are set aside. */
  readonly waiting: readonly WaitingTarget[];
}

export interface ReadStatusOptions {
  readonly config: Config;
  readonly operator: Operator;
  /** A table that cannot be read says so in `problem`; a database that went away rejects. */
  readonly lookAtTable: LookAtTable;
  /** Null: the server shows no fresh list. Absent: nobody wants to know who holds gaps. */
  readonly listTransactions?: () => Promise<readonly RunningTransaction[] | null>;
  /** Whose lock each source is led by. Absent: there are no locks, as on a file. */
  readonly whoElected?: (sources: readonly string[]) => Promise<ReadonlyMap<string, ElectedBy>>;
  /** Tries Kafka; a rejection says why it is away. */
  readonly kafka: () => Promise<KafkaConnection>;
  /** Tries Redis. */
  readonly redis: (target: RedisTarget) => Promise<void>;
}

/** Rejects with the database's faults only. */
export async function readStatus(options: ReadStatusOptions): Promise<Status> {
  const { config, operator, kafka: tryKafka } = options;
  const database = await operator.describe();
  const watermarks = await operator.listWatermarks();
  const gaps = await operator.sumGaps();
  const [{ lanes, kafka }, redis] = await Promise.all([
    readLanes({ config: operator.kafkaConfig, operator, kafka: tryKafka }),
    lookAtRedis(options),
  ]);
  const elected = (await options.whoElected?.(config.sources.map(({ name }) => name))) ?? new Map();
  const found = await readSources(options, watermarks, gaps);
  const sources = found.map((source) => ({ ...source, electedBy: elected.get(source.name) ?? null }));
  const members = await operator.listMembers();
  const aside = await operator.countAside();
  return {
    delivery: config.deliveryMode,
    database,
    kafka,
    redis,
    sources,
    gapHolders: await findGapHolders(options, sources),
    lanes,
    members,
    backlog: sumBacklog(lanes),
    aside,
    stalls: statusStalls({ sources, lanes, members, aside }, config.stallMs),
    waiting: waitingTargets(await operator.listQueues(lanes.map(({ lane }) => lane))),
  };
}

/** Other gap modes have no list to look at. */
async function findGapHolders(
  { listTransactions }: ReadStatusOptions,
  sources: readonly SourceStatus[],
): Promise<GapHolders | null> {
  if (!sources.some(({ gaps, gapMode }) => gaps !== null && gapMode === 'transactions')) return null;
  const [first, ...others] = (await listTransactions?.()) ?? [];
  if (first === undefined) return null;
  const oldest = others.reduce((old, each) => (each.startedAt < old.startedAt ? each : old), first);
  return { transactions: others.length + 1, connection: oldest.connection, since: oldest.startedAt };
}

/** For `whoElected`. */
export const electedOf =
  (pool: Pool, config: Config) =>
  (sources: readonly string[]): Promise<ReadonlyMap<string, ElectedBy>> => {
    const target = redisTarget(config);
    return whoElected({
      sources,
      redis: target && { target, prefix: config.redis.prefix },
      database: {
        query: (sql, values) => pool.use((session) => session.query(sql, values)),
        prefix: databaseLockPrefix(config),
      },
    });
  };

/** For `listTransactions`. */
export function transactionsOf(pool: Pool): () => Promise<readonly RunningTransaction[] | null> {
  const lister = listerOf(pool, systemClock);
  return async () => (await lister.list())?.transactions ?? null;
}

function sumBacklog(lanes: readonly LaneStatus[]): Status['backlog'] {
  const ages = lanes.flatMap(({ oldestAgeMs }) => (oldestAgeMs === null ? [] : [oldestAgeMs]));
  return {
    rows: lanes.reduce((sum, { backlog }) => sum + backlog, 0),
    capped: lanes.some(({ capped }) => capped),
    oldestAgeMs: ages.length === 0 ? null : Math.max(...ages),
  };
}

async function lookAtRedis({ config, redis }: ReadStatusOptions): Promise<ServerStatus | null> {
  const target = redisTarget(config);
  if (target === null) return null;
  try {
    await redis(target);
    return { reachable: true, says: showRedisAddress(config.redis.url ?? '') };
  } catch (thrown) {
    return { reachable: false, says: asRelayError(thrown).message };
  }
}

async function readSources(
  { config, lookAtTable }: ReadStatusOptions,
  watermarks: readonly WatermarkState[],
  gaps: ReadonlyMap<string, GapSums>,
): Promise<readonly SourceStatus[]> {
  const found = new Map(watermarks.map((watermark) => [watermark.source, watermark]));
  const sources: SourceStatus[] = [];
  for (const source of config.sources) {
    const table = await lookAtTable(source, found.get(source.name) ?? null);
    sources.push(
      sourceStatus(source.name, found.get(source.name), gaps, {
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
    gapModePromise: null,
    gapModeBetter: null,
    problem: null,
  };
  for (const [name, watermark] of found) sources.push(sourceStatus(name, watermark, gaps, unknown));
  return sources;
}

export type TableFacts = Pick<
  SourceStatus,
  'highest' | 'gapMode' | 'gapModeReason' | 'gapModePromise' | 'gapModeBetter' | 'problem'
>;

function sourceStatus(
  name: string,
  watermark: WatermarkState | undefined,
  gaps: ReadonlyMap<string, GapSums>,
  facts: TableFacts & Pick<SourceStatus, 'table' | 'mode' | 'configured'>,
): SourceStatus {
  const position = watermark?.position ?? null;
  const { highest } = facts;
  const distance = highest === null || position === null ? null : highest > position ? highest - position : 0n;
  return {
    ...facts,
    name,
    leader: watermark?.leader ?? null,
    electedBy: null,
    epoch: watermark?.epoch ?? null,
    watermark: position,
    distance,
    gaps: gaps.get(name) ?? null,
    halted: watermark?.state === 'halted' ? `${watermark.why}; ${howToGoOn(name, watermark.cause)}` : null,
    incarnation: currentIncarnation(watermark?.incarnations ?? []),
  };
}

/** A table that cannot be read spoils its own line only. */
export type LookAtTable = (source: SourceConfig, watermark: WatermarkState | null) => Promise<TableFacts>;

/** Tables of a server. `proofs`: what was found out about its locks, by setting, for whoever looks more than once. */
export function tablesOf(pool: Pool, proofs: Map<string, GapModeProof> = new Map()): LookAtTable {
  return (source) =>
    tryTable(async () => {
      const proof = proofs.get(source.gapMode) ?? (await proveGapMode({ pool, wanted: source.gapMode }));
      proofs.set(source.gapMode, proof);
      const reader = await createSourceReader({ pool, source, gapMode: proof.mode, logger: silentLogger });
      const highest = await reader.highestPosition();
      return {
        highest,
        gapMode: proof.mode,
        gapModeReason: proof.reason,
        gapModePromise: promiseFor(source, proof.mode, source.gapGraceMs ?? reader.graceMs),
        gapModeBetter: betterMode(proof),
        problem: null,
      };
    });
}

const NOTHING_KNOWN = { highest: null, gapMode: null, gapModeReason: null, gapModePromise: null, gapModeBetter: null };

/** Rejects only when the database went away. */
export async function tryTable(look: () => Promise<TableFacts>): Promise<TableFacts> {
  try {
    return await look();
  } catch (thrown) {
    const error = asRelayError(thrown);
    if (error.verdict === 'retry') throw error;
    return { ...NOTHING_KNOWN, problem: error.message };
  }
}
