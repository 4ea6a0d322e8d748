/**
 * `lane grow`: gives a source more lanes while it runs. The marker topic gets its partitions first, since a sender that takes
 * a lane without one could not write its marker; partitions that stay unused do no harm.
 */
import type { Config } from '#config';
import type { Pool } from '#database';
import { createTopicAdmin } from '#kafka-delivery';
import { createSenderStore, growLanes } from '#outbox-storage';
import { RelayError, systemClock } from '#runtime';
import type { Cli } from './cli.ts';
import { reachKafka } from './connect.ts';

export const GROW_TEXT = `The keys of the source are spread anew, so all of its lanes must be empty for a moment: the writer is held back for up to
3 seconds at a time until the senders have delivered what waits, again and again for --wait. Nothing of the application
waits. Lanes can only become more. Set LANES to the new number afterwards, so that the settings say what is.`;

/** Below the lock wait limit of the writer, 5 s: it waits and goes on, and its term does not end. */
const DRAIN_MS = 3_000;
const PAUSE_MS = 1_000;

export interface GrowRequest {
  readonly source: string;
  readonly lanes: number;
  readonly waitMs: number;
}

/** Rejects with CONFIG_INVALID for what cannot be done, and when the lanes do not become empty in time. */
export async function grow(cli: Cli, config: Config, pool: Pool, request: GrowRequest): Promise<void> {
  const { source, lanes: wanted } = request;
  const lanes = await createSenderStore({ pool, tables: config.tables }).listLanes();
  const own = lanes.filter((lane) => lane.source === source).length;
  if (config.deliveryMode === 'exactly-once' && own > 0 && wanted > own) {
    const highest = lanes.reduce((most, { lane }) => Math.max(most, lane), -1);
    await growMarkerTopic(cli, config, highest + 1 + wanted - own);
  }
  const deadlineMs = systemClock.nowMs() + request.waitMs;
  for (;;) {
    const drainMs = Math.max(0, Math.min(DRAIN_MS, deadlineMs - systemClock.nowMs()));
    const outcome = await growLanes({ pool, tables: config.tables }, { source, lanes: wanted, drainMs });
    if (outcome.kind === 'there') return cli.print(`source ${source} has ${wanted} lanes already`);
    if (outcome.kind === 'grown') {
      cli.print(`source ${source} has ${wanted} lanes: ${outcome.added.join(', ')} are new`);
      return cli.note(`set LANES=${wanted}, so that the settings say what is`);
    }
    if (systemClock.nowMs() + PAUSE_MS >= deadlineMs) throw notEmpty(source, outcome.lanes);
    await systemClock.sleep(PAUSE_MS);
  }
}

async function growMarkerTopic(cli: Cli, config: Config, partitions: number): Promise<void> {
  const admin = createTopicAdmin(await reachKafka(config));
  try {
    const outcome = await admin.createMarkerTopic(partitions);
    if (outcome !== 'there')
      cli.print(`marker topic ${outcome}: ${config.kafka.markerTopic}, ${partitions} partitions`);
  } finally {
    await admin.close();
  }
}

const notEmpty = (source: string, lanes: readonly number[]): RelayError =>
  new RelayError(
    'CONFIG_INVALID',
    `nothing changed: lanes ${lanes.join(', ')} of source ${source} still hold rows, in the outbox or set aside; see status, let the senders deliver them, and try again, perhaps with a longer --wait`,
  );
