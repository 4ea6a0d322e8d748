/** Gathers the facts and asks every check. A server that is away is named, and the others are looked at all the same. */
import type { Config, LoadedConfig } from '#config';
import type { Pool } from '#database';
import { connectKafka } from '#kafka-delivery';
import { sentTopics } from '#outbox';
import { createSenderStore, listMembers, listWatermarks } from '#outbox-storage';
import { inspectRedis } from '#redis';
import { asRelayError, type RelayError, silentLogger } from '#runtime';
import { kafkaOptions } from '../open-kafka.ts';
import { probeRedis } from '../probe-redis.ts';
import { redisTarget } from '../redis-target.ts';
import { fixedTopics } from '../source-topics.ts';
import { CHECKS } from './checks.ts';
import { countBeats } from './count-beats.ts';
import type { Beats, Facts, KafkaFacts, RelayFacts, ServerLook } from './facts.ts';
import type { Judgement, Verdict } from './finding.ts';
import { gatherRelay, gatherServer } from './gather-database.ts';
import { gatherKafka } from './gather-kafka.ts';

export interface Finding extends Judgement {
  /** `area.name`. */
  readonly check: string;
}

export interface Away {
  readonly server: 'database' | 'kafka' | 'redis';
  readonly why: string;
}

export interface Diagnosis {
  readonly findings: readonly Finding[];
  readonly away: readonly Away[];
  readonly counts: Readonly<Record<Verdict, number>>;
}

export interface ExamineOptions {
  readonly loaded: LoadedConfig;
  /** Runs its argument with a pool whose server has answered; rejects with the database's fault. */
  readonly withDatabase: <T>(work: (pool: Pool) => Promise<T>) => Promise<T>;
}

export async function examine({ loaded, withDatabase }: ExamineOptions): Promise<Diagnosis> {
  const { config, warnings } = loaded;
  const away: Away[] = [];
  const note = (server: Away['server']) => (thrown: unknown) => {
    away.push({ server, why: asRelayError(thrown).message });
    return null;
  };
  const refused: Finding[] = [];
  const target = redisTarget(config);
  const redis = target === null ? null : await inspectRedis(target).catch(note('redis'));
  const redisTrials = redis === null ? null : await probeRedis(config).catch(note('redis'));
  const seen = await withDatabase((pool) => lookWithDatabase(config, pool, note('kafka'))).catch(
    async (thrown: unknown) => {
      const error = asRelayError(thrown);
      if (error.code === 'DB_UNSUPPORTED') refused.push(unsupported(error));
      else note('database')(error);
      return lookWithout(config, note('kafka'));
    },
  );
  const facts: Facts = { config, warnings, redis, redisTrials, ...seen };
  const findings = CHECKS.flatMap(({ id, look }) => look(facts).map((judgement) => ({ check: id, ...judgement })));
  return { findings: [...refused, ...findings], away, counts: count([...refused, ...findings]) };
}

interface Seen {
  readonly database: ServerLook | null;
  readonly relay: RelayFacts | null;
  readonly kafka: KafkaFacts | null;
}

async function lookWithDatabase(config: Config, pool: Pool, kafkaAway: (thrown: unknown) => null): Promise<Seen> {
  const connection = connectKafka(kafkaOptions(config, silentLogger));
  const database = await gatherServer(config, pool);
  const readable = database.schemaFault === null && database.missingGrants !== null;
  const found = readable ? await gatherRelay(config, pool) : null;
  const members = async () => new Set((await listMembers(pool, config.tables)).map(({ id }) => id));
  const targets = [...fixedTopics(config.sources), ...(found?.largest ?? []).map(({ topic }) => topic)];
  const store = createSenderStore({ pool, tables: config.tables });
  const noted = found === null ? [] : await sentTopics(store)();
  const asked = { targets: [...new Set(targets)], noted, members: found === null ? null : members };
  const [kafka, beats] = await Promise.all([
    gatherKafka({ config, connection, ...asked }).catch(kafkaAway),
    found === null ? Promise.resolve<readonly Beats[]>([]) : countBeats(config, pool),
  ]);
  if (found === null) return { database, relay: null, kafka };
  const watermarks = await listWatermarks(pool, config.tables);
  const lanesAfter = await store.listLanes();
  return { database, relay: { ...found, beats, watermarks, lanesAfter }, kafka };
}

async function lookWithout(config: Config, kafkaAway: (thrown: unknown) => null): Promise<Seen> {
  const connection = connectKafka(kafkaOptions(config, silentLogger));
  const targets = fixedTopics(config.sources);
  const kafka = await gatherKafka({ config, connection, targets, noted: [], members: null }).catch(kafkaAway);
  return { database: null, relay: null, kafka };
}

const unsupported = (error: RelayError): Finding => ({
  check: 'database.engine',
  about: '',
  verdict: 'broken',
  says: error.message,
  mend: 'use MariaDB from 10.6 or MySQL from 8.0.22',
});

function count(findings: readonly Finding[]): Diagnosis['counts'] {
  const counts: Record<Verdict, number> = { fine: 0, risky: 0, broken: 0, unknown: 0 };
  for (const { verdict } of findings) counts[verdict] += 1;
  return counts;
}
