/** Mode `consume` with an archive: the writer that leads a source makes its archive's coming days and drops the past ones. */
import type { Config } from '#config';
import type { Pool } from '#database';
import { asRelayError, type Clock, type Logger } from '#runtime';
import { maintainArchive } from '#source-polling';

const EVERY_MS = 3_600_000;
/** While it does not lead, and after a fault. */
const AGAIN_MS = 10_000;

export interface KeepArchivesOptions {
  readonly config: Pick<Config, 'sources'>;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly leads: (source: string) => boolean;
}

/** Runs until the signal aborts; a fault is told and tried again, since rows are archived all the same. */
export async function keepArchives(options: KeepArchivesOptions, signal: AbortSignal): Promise<void> {
  const { config, pool, clock, logger, leads } = options;
  const keep = async (source: string, archive: { readonly table: string; readonly retentionMs: number }) => {
    while (!signal.aborted) {
      let restMs = AGAIN_MS;
      if (leads(source)) {
        try {
          const change = await maintainArchive(pool, archive);
          if (change.made.length + change.dropped.length > 0) {
            logger.info(
              { event: 'archive-days', source, table: archive.table, ...change },
              'archive days made and dropped',
            );
          }
          restMs = EVERY_MS;
        } catch (thrown) {
          const { code, message } = asRelayError(thrown);
          const facts = { event: 'archive-fault', source, code, reason: message };
          logger.warn(facts, 'days of the archive could not be made or dropped');
        }
      }
      await clock.sleep(restMs, signal);
    }
  };
  const archives = config.sources.flatMap(({ name, event }) =>
    event?.archive ? [{ name, archive: event.archive }] : [],
  );
  await Promise.all(archives.map(({ name, archive }) => keep(name, archive)));
}
