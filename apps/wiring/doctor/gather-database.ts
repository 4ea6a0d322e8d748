/** Looks at the database: the server, our tables, the sources. Each part may fail without spoiling the others. */
import type { Config, SourceConfig } from '#config';
import { inspectServer, type Pool } from '#database';
import type { WatermarkState } from '#outbox';
import { checkSchema, findMissingGrants, largestRows, listWatermarks } from '#outbox-storage';
import { asRelayError, RelayError, systemClock } from '#runtime';
import { nextPosition } from '#source-polling';
import { poolOperator } from '../operator.ts';
import { readStatus, type Status, tablesOf, transactionsOf } from '../read-status.ts';
import { trySource } from '../try-source.ts';
import type { RelayFacts, ServerLook, SourceFacts } from './facts.ts';

/** The value, or the fault as one. Faults of a server that is away are thrown: then nothing more can be said. */
async function orFault<T>(look: () => Promise<T>): Promise<T | RelayError> {
  try {
    return await look();
  } catch (thrown) {
    const error = asRelayError(thrown);
    if (error.code === 'DB_UNREACHABLE' || error.code === 'DEADLINE_EXCEEDED') throw error;
    return error;
  }
}

export async function gatherServer(config: Config, pool: Pool): Promise<ServerLook> {
  const server = await inspectServer(pool, systemClock);
  const schema = await orFault(() => checkSchema(pool, config.tables));
  const schemaFault = schema instanceof RelayError ? schema : null;
  const grants = schemaFault === null ? await orFault(() => findMissingGrants(pool, config.tables)) : null;
  const found = schemaFault === null ? await orFault(() => listWatermarks(pool, config.tables)) : [];
  const watermarks = found instanceof RelayError ? [] : found;
  const sources: SourceFacts[] = [];
  for (const source of config.sources) sources.push(await gatherSource(pool, source, watermarks));
  return { server, schemaFault, missingGrants: grants instanceof RelayError ? null : grants, sources };
}

async function gatherSource(
  pool: Pool,
  source: SourceConfig,
  watermarks: readonly WatermarkState[],
): Promise<SourceFacts> {
  const tried = await orFault(() => trySource(pool, source));
  const next = await orFault(() => nextPosition(pool, source.table));
  return {
    source,
    tried,
    watermark: watermarks.find((each) => each.source === source.name) ?? null,
    nextPosition: next instanceof RelayError ? null : next,
  };
}

/** Kafka and Redis have looks of their own. */
const elsewhere = () => Promise.reject(new RelayError('STOPPED', 'not looked at here'));

/** What is read before Kafka's markers; null when the tables cannot be read. */
export async function gatherRelay(config: Config, pool: Pool): Promise<Pick<RelayFacts, 'status' | 'largest'> | null> {
  const look = {
    config,
    operator: poolOperator(pool, config),
    lookAtTable: tablesOf(pool),
    listTransactions: transactionsOf(pool),
  };
  const status = await orFault<Status>(() => readStatus({ ...look, kafka: elsewhere, redis: elsewhere }));
  const largest = await orFault(() => largestRows(pool, config.tables));
  if (status instanceof RelayError || largest instanceof RelayError) return null;
  return { status, largest };
}
