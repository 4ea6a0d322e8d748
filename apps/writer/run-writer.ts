/** A writer process: one `runSource` for each configured source, elected on its own; a halted source leaves the others running. */
import { gapGraceMs, type SourceConfig } from '#config';
import type { Pool } from '#database';
import { type Doorbell, type LeaderElection, runSource, type WriterEvent, type WriterStore } from '#outbox';
import { createSenderStore, createWriterStore } from '#outbox-storage';
import { asRelayError, type RelayError, systemClock, systemRandom } from '#runtime';
import { createSourceReader, type GapModeProof, proveGapMode } from '#source-polling';
import { logWriterEvents } from '../wiring/log-events.ts';
import type { Service } from '../wiring/service.ts';
import { keepArchives } from './keep-archives.ts';
import { lookAtMarkers } from './look-at-markers.ts';
import { SourceShares } from './share-sources.ts';

/** A standby asks for the lock this often: it follows a killed leader within the lock's TTL and this. */
const ELECTION_INTERVAL_MS = 500;
const GAPS_MAX = 10_000;

export interface WriterParts {
  readonly pool: Pool;
  readonly doorbell: Doorbell;
  readonly election: LeaderElection;
  readonly onEvent: (event: WriterEvent) => void;
}

/** Runs until the signal aborts, or until the last source has halted: then it rejects with that fault. */
export async function runWriter(service: Service, parts: WriterParts): Promise<void> {
  const { config, logger, signal, instanceId } = service;
  const { pool } = parts;
  const store = createWriterStore({ pool, tables: config.tables });
  const shares = new SourceShares({
    store: createSenderStore({ pool, tables: config.tables }),
    clock: systemClock,
    logger,
    writerId: instanceId,
    sources: config.sources.length,
  });
  const log = logWriterEvents(logger);
  const onEvent = (event: WriterEvent) => {
    if (event.kind === 'elected') shares.began(event.source);
    if (event.kind === 'term-ended') shares.ended(event.source);
    log(event);
    parts.onEvent(event);
  };
  const ended = new AbortController();
  const members = shares.run(AbortSignal.any([signal, ended.signal]));
  const leads = (source: string) => shares.leading.has(source);
  const archives = keepArchives(
    { config, pool, clock: systemClock, logger, leads },
    AbortSignal.any([signal, ended.signal]),
  );
  const faults: RelayError[] = [];
  await Promise.all(
    config.sources.map((source) =>
      relaySource(service, parts, store, shares, source, onEvent).catch((thrown: unknown) => {
        faults.push(asRelayError(thrown));
      }),
    ),
  );
  ended.abort();
  await Promise.all([members, archives]);
  const [fault] = faults;
  if (fault !== undefined && !signal.aborted) throw fault;
}

async function relaySource(
  service: Service,
  parts: WriterParts,
  store: WriterStore,
  shares: SourceShares,
  source: SourceConfig,
  onEvent: (event: WriterEvent) => void,
): Promise<void> {
  const { config, logger, signal, instanceId } = service;
  let proof: GapModeProof | null = null;
  await runSource(
    {
      source: source.name,
      writerId: instanceId,
      lanes: source.lanes,
      startFrom: source.startFrom,
      store,
      openReader: async () => {
        if (proof === null) {
          proof = await proveGapMode({ pool: parts.pool, wanted: source.gapMode });
          logger.info({ source: source.name, gapMode: proof.mode, reason: proof.reason }, 'gap mode');
        }
        return createSourceReader({ pool: parts.pool, source, gapMode: proof.mode, logger });
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
      gapGraceMs: (reader) => source.gapGraceMs ?? Math.max(gapGraceMs(source, reader.gapMode), reader.graceMsMin ?? 0),
      gapsMax: GAPS_MAX,
      backoff: config.sender.retryBackoff,
      electionIntervalMs: ELECTION_INTERVAL_MS,
      mayLead: () => true,
      shouldHandOver: () => shares.shouldHandOver(),
      onEvent,
    },
    signal,
  );
}
