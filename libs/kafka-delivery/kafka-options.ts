/** What a Kafka port is made from. Defaults are filled in once, here. */
import { type Clock, type Logger, type Random, systemClock, systemRandom } from '#runtime';
import type { TlsOptions } from './open-socket.ts';
import type { Partitioner } from './partitioner.ts';
import type { Compression } from './wire/record-batch.ts';

/** Prints an OAuth token: as it is, or as JSON with `access_token` (or `token`) and `expires_in` in seconds. */
export interface TokenCommand {
  /** Program and arguments, run without a shell. */
  readonly command: readonly [string, ...string[]];
}

/** Answers with an OAuth token in the same forms; with a client id, by the client-credentials grant. */
export interface TokenUrl {
  readonly url: string;
  readonly clientId?: string;
  readonly clientSecret?: string | (() => string);
  readonly scope?: string;
}

export type SaslOptions =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly username: string;
      /** A function is asked for each login, so that it may change. */
      readonly password: string | (() => string);
    }
  | {
      readonly mechanism: 'oauthbearer';
      readonly token: TokenCommand | TokenUrl;
      /** SASL extensions sent beside the token, such as `logicalCluster` (KIP-342). */
      readonly extensions?: Readonly<Record<string, string>>;
    };

export interface KafkaOptions {
  /** `host:port`, `[ipv6]:port`; tried in random order. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly logger: Logger;
  /**
   * False: plain TCP. A function is asked for each connection, so that certificates may change. They are verified unless the options
   * themselves say otherwise.
   */
  readonly ssl?: TlsOptions;
  readonly sasl?: SaslOptions;
  /** Group prefix and marker topic are made from it: `<prefix>.markers`, `<prefix>.<outbox table>`. */
  readonly prefix: string;
  readonly outboxTable: string;
  /** Topics that an earlier process may have written to, where records may have been left open; those sent to are added. */
  readonly topics?: readonly string[];
  readonly connectionTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
  /** The broker ends a transaction that is open for longer: how long a dead sender can stall readers. */
  readonly transactionTimeoutMs?: number;
  /** -1 (all) and `idempotent` together give transactions; anything weaker is at-least-once. */
  readonly acks?: -1 | 0 | 1;
  readonly idempotent?: boolean;
  readonly compression?: Compression;
  readonly partitioner?: Partitioner;
  /** Bound of one record batch before compression; brokers refuse more than message.max.bytes (1,048,588 by default). */
  readonly partitionBatchBytesMax?: number;
  readonly requestBytesMax?: number;
  /** Send what is larger than its topic takes in chunks, as the chunking library cuts them. Default false: Kafka refuses it. */
  readonly chunkOversized?: boolean;
  /** How old partition counts and leaders may get before a transaction asks again. */
  readonly metadataMaxAgeMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  /** For tests and drills: awaited at `before:<step>` and `after:<step>`; a rejection is the step's fault. */
  readonly gate?: (name: string) => Promise<void>;
}

export type KafkaSettings = Required<Omit<KafkaOptions, 'sasl' | 'gate'>> & Pick<KafkaOptions, 'sasl' | 'gate'>;

export function settingsFrom(options: KafkaOptions): KafkaSettings {
  return {
    ssl: false,
    connectionTimeoutMs: 5_000,
    requestTimeoutMs: 15_000,
    transactionTimeoutMs: 40_000,
    acks: -1,
    idempotent: true,
    compression: 'none',
    partitioner: 'java',
    topics: [],
    partitionBatchBytesMax: 900_000,
    requestBytesMax: 1_000_000,
    chunkOversized: false,
    metadataMaxAgeMs: 30_000,
    clock: systemClock,
    random: systemRandom,
    ...options,
  };
}

export const isTransactional = (settings: Pick<KafkaSettings, 'acks' | 'idempotent'>): boolean =>
  settings.acks === -1 && settings.idempotent;

export const markerTopic = (prefix: string): string => `${prefix}.markers`;

/** Lane markers and retry tokens have a group each, so that both can use partition = lane. */
export const markerGroup = (prefix: string, outboxTable: string, kind: 'lane' | 'retry'): string =>
  kind === 'lane' ? `${prefix}.${outboxTable}` : `${prefix}.${outboxTable}.retry`;

export const markerName = (kind: 'lane' | 'retry', lane: number): string => `${kind}/${lane}`;
