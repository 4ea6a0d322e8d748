/** The settings of a source as the core's writer takes them. */
import type { SourceConfig } from '#config';
import type { Pool } from '#database';
import type { Doorbell, LeaderElection, RunSourceOptions, WriterEvent, WriterStore } from '#outbox';
import { type Progress, systemClock, systemRandom } from '#runtime';
import { createSourceReader, proveGapMode } from '#source-polling';
import { logGapMode } from '../wiring/gap-mode-promise.ts';
import type { Service } from '../wiring/service.ts';
import { lookAtMarkers } from './look-at-markers.ts';

/** A standby asks for the lock this often: it follows a killed leader within the lock's TTL and this. */
const ELECTION_INTERVAL_MS = 500;

export interface WriterParts {
  readonly pool: Pool;
  readonly doorbell: Doorbell;
  readonly election: LeaderElection;
  readonly onEvent: (event: WriterEvent) => void;
  /** Of the source: whoever wants to know whether its rows move looks there. */
  readonly progressOf?: (source: string) => Progress;
}

/** For a lone writer, which hands nothing over. */
export function sourceOptions(
  service: Service,
  parts: WriterParts,
  store: WriterStore,
  source: SourceConfig,
): RunSourceOptions {
  const { config, logger, instanceId } = service;
  return {
    source: source.name,
    writerId: instanceId,
    lanes: source.lanes,
    startFrom: source.startFrom,
    store,
    openReader: async (delivered) => {
      // Anew for each term: after a fail-over another server answers, and rights may have been granted or taken.
      const server = await parts.pool.server();
      const proof = await proveGapMode({ pool: parts.pool.onServer(server), wanted: source.gapMode });
      // In mode time only the clock tells, so that any server of several will do.
      const bound = proof.mode === 'time' ? null : server;
      const common = { source, gapMode: proof.mode, logger, delivered };
      const reader = await createSourceReader({ ...common, pool: parts.pool.onServer(bound), server: bound });
      logGapMode(logger, source, proof, reader.graceMs);
      return reader;
    },
    ...(config.deliveryMode === 'exactly-once'
      ? { readMarkers: (lanes: readonly number[]) => lookAtMarkers(service, source.name, lanes) }
      : {}),
    election: parts.election,
    doorbell: parts.doorbell,
    clock: systemClock,
    random: systemRandom,
    limits: { rowsMax: config.writer.batchRowsMax, bytesMax: config.writer.batchBytesMax },
    pollIntervalMs: config.writer.pollIntervalMs,
    gapGraceMs: (reader) => source.gapGraceMs ?? reader.graceMs,
    backoff: config.sender.retryBackoff,
    electionIntervalMs: ELECTION_INTERVAL_MS,
    mayLead: () => true,
    shouldHandOver: () => false,
    ...(parts.progressOf === undefined ? {} : { progress: parts.progressOf(source.name) }),
    onEvent: parts.onEvent,
  };
}
