/** Everything the checks judge, as it was found; null or a fault where it could not be. */
import type { Config, SourceConfig } from '#config';
import type { ServerFacts } from '#database';
import type { ClusterFacts, GroupFacts, KnownProducer, Rehearsal } from '#kafka-delivery';
import type { LaneRow, WatermarkState } from '#outbox';
import type { LargestRow, MissingGrant } from '#outbox-storage';
import type { RedisFacts, RedisTrial } from '#redis';
import type { RelayError } from '#runtime';
import type { Status } from '../read-status.ts';
import type { TriedSource } from '../try-source.ts';

export interface SourceFacts {
  readonly source: SourceConfig;
  /** The fault where the table cannot be followed. */
  readonly tried: TriedSource | RelayError;
  /** As before `nextPosition` was read; null: no writer has led the source yet. */
  readonly watermark: WatermarkState | null;
  /** What AUTO_INCREMENT hands out next; null where the server does not say. */
  readonly nextPosition: bigint | null;
}

/** What was seen of the database server, with or without our tables. */
export interface ServerLook {
  readonly server: ServerFacts;
  /** Why our tables cannot be used; null when they can. */
  readonly schemaFault: RelayError | null;
  /** Null when the tables are not there. */
  readonly missingGrants: readonly MissingGrant[] | null;
  readonly sources: readonly SourceFacts[];
}

/** Heartbeats of one member, counted for a while. */
export interface Beats {
  readonly id: string;
  readonly kind: string;
  readonly beats: number;
  /** How many one process would have in that time. */
  readonly expected: number;
}

/** What our tables say. */
export interface RelayFacts {
  readonly status: Status;
  /** Read after the markers, so that a marker is never ahead of its sequence only because time passed. */
  readonly watermarks: readonly WatermarkState[];
  /** Read after the markers, too: a lane may have got its first one in between. */
  readonly lanesAfter: readonly LaneRow[];
  readonly largest: readonly LargestRow[];
  readonly beats: readonly Beats[];
}

export interface KafkaFacts {
  readonly cluster: ClusterFacts;
  /** Topics that rows go to: those of the settings, and those that waiting rows name. */
  readonly targets: readonly string[];
  /** Others that rows were sent to lately, as senders have noted; null: too many to look at. */
  readonly noted: readonly string[] | null;
  /** The rest is null in the at-least-once mode, which has neither transactions nor markers. */
  readonly rehearsal: Rehearsal | RelayError | null;
  readonly groups: readonly (GroupFacts | RelayError)[];
  /** Of every partition of the marker topic; null where they could not be read. */
  readonly markers: ReadonlyMap<number, number> | null;
  /** Producers under our prefix that are none of our members, seen twice with different transactions; null: could not be seen. */
  readonly strangers: readonly KnownProducer[] | null;
}

export interface Facts {
  readonly config: Config;
  /** Of the settings, as `config` prints them. */
  readonly warnings: readonly string[];
  readonly database: ServerLook | null;
  readonly relay: RelayFacts | null;
  readonly kafka: KafkaFacts | null;
  /** Null where Redis is not configured or away. */
  readonly redis: RedisFacts | null;
  /** What of the relay's own doing there was tried; null where it could not be. */
  readonly redisTrials: readonly RedisTrial[] | null;
}
