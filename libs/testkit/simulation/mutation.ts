/** How a mutation changes a process's view of the world: ports wrapped, never production code. */
import type { LockService } from '#leader-election';
import type { KafkaPort, SenderStore, SourceReader, WriterStore } from '#outbox';
import type { Theme } from './scenario.ts';
import type { SimKafka } from './sim-kafka.ts';
import type { SimProcess } from './sim-process.ts';
import type { SimTables } from './sim-tables.ts';

export interface MutationSite {
  readonly process: SimProcess;
  readonly tables: SimTables;
  readonly kafka: SimKafka;
  /** State the wrappers of one process share. */
  readonly memory: Map<string, unknown>;
}

export interface Mutation {
  readonly name: string;
  /** The scenes in which it shows soonest; any when absent. */
  readonly theme?: Theme;
  /** Seeds within which the simulation must find it. */
  readonly seedsMax: number;
  readonly writerStore?: (store: WriterStore, site: MutationSite) => WriterStore;
  readonly senderStore?: (store: SenderStore, site: MutationSite) => SenderStore;
  readonly kafka?: (port: KafkaPort, site: MutationSite) => KafkaPort;
  readonly reader?: (reader: SourceReader, site: MutationSite) => SourceReader;
  /** The database's locks as a writer's election sees them. */
  readonly databaseLocks?: (locks: LockService, site: MutationSite) => LockService;
  readonly fallbackAfterMs?: number;
  readonly gapGraceMs?: number;
}
