/**
 * The only file that imports kafkajs 2.2.4. We use its connections: sockets, TLS, SASL, request queue, ApiVersions.
 * Its producer and admin stay unused, because they hide what exactly-once hangs on: a send may resolve without one of its
 * partitions (pull request 1798), a retried send may be partitioned anew, errors lose their partition and every code above
 * 88, offsets are sent with retries for names that do not exist, sequences do not wrap, and metadata is asked for all
 * topics of the cluster, so that a stranger's broken topic fails us. It also costs ten times the CPU: it copies the list of
 * records once a record. What we speak instead is in wire/, each request in one fixed version.
 */
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import kafkajs, { type KafkaConfig, type LogEntry } from 'kafkajs';
import { RelayError } from '#runtime';
import { type HostAndPort, parseBroker } from './broker-address.ts';
import { mendRequestTimer } from './mend-request-timer.ts';

/** One socket to a broker (kafkajs/src/network/connection.js). */
export interface BrokerConnection {
  readonly clientId: string;
  readonly sasl: unknown;
  readonly socket?: Socket;
  readonly requestQueue: {
    push(request: PushedRequest): void;
    /** Sent and not answered, by correlation id; timed out `requestTimeout` ms after they were sent. */
    readonly inflight: ReadonlyMap<number, { readonly sentAt: number; requestTimeout: number }>;
  };
  isConnected(): boolean;
  isAuthenticated(): boolean;
  authenticate(): Promise<void>;
  nextCorrelationId(): number;
  rejectRequests(error: Error): void;
  disconnect(): Promise<unknown>;
}

export interface PushedRequest {
  readonly entry: {
    readonly apiKey: number;
    readonly apiName: string;
    readonly apiVersion: number;
    readonly correlationId: number;
    readonly resolve: (answer: { payload: Buffer | null }) => void;
    readonly reject: (error: unknown) => void;
  };
  readonly expectResponse: boolean;
  readonly requestTimeout: number;
  readonly sendRequest: () => void;
}

export interface ConnectionPool {
  readonly host: string;
  readonly port: number;
  readonly pool: readonly BrokerConnection[];
  getConnection(index: number): Promise<BrokerConnection>;
}

/** One broker (kafkajs/src/broker/index.js): `connect` opens the socket, asks for ApiVersions and authenticates. */
export interface Broker {
  readonly connectionPool: ConnectionPool;
  readonly versions: Readonly<Record<number, { minVersion: number; maxVersion: number }>> | null;
  isConnected(): boolean;
  connect(): Promise<void>;
  disconnect(): Promise<void>;
}

interface Cluster {
  readonly connectionPoolBuilder: { build(address?: HostAndPort): Promise<ConnectionPool> };
  readonly brokerPool: {
    createBroker(options: { connectionPool: ConnectionPool; logger: unknown; nodeId?: number }): Broker;
  };
  readonly rootLogger: unknown;
}

/** Makes unconnected brokers that share one configuration. */
export interface BrokerFactory {
  make(address: { readonly host: string; readonly port: number }): Promise<Broker>;
}

export type { KafkaConfig, LogEntry };
export const logLevel: typeof kafkajs.logLevel = kafkajs.logLevel;
export const {
  KafkaJSConnectionError,
  KafkaJSRequestTimeoutError,
  KafkaJSProtocolError,
  KafkaJSSASLAuthenticationError,
  KafkaJSServerDoesNotSupportApiKey,
  KafkaJSLockTimeout,
  KafkaJSError,
} = kafkajs;

const require = createRequire(import.meta.url);
/** Missing in its types. */
export const { KafkaJSConnectionClosedError } = require('kafkajs/src/errors') as {
  readonly KafkaJSConnectionClosedError: new (...args: never[]) => Error;
};
const protocolErrors = require('kafkajs/src/protocol/error') as { createErrorFromCode(code: number): Error };
const decoderOf = require('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => object;
const decode = require('kafkajs/src/protocol/requests/fetch/v4/decodeMessages') as (
  decoder: object,
) => Promise<never[]>;

/** An error as kafkajs's own parsers throw it, and its consumer judges it. */
export const createErrorFromCode = (code: number): Error => protocolErrors.createErrorFromCode(code);

/** Record batches behind four bytes with their size, as kafkajs hands records to consumers. */
export const decodeRecords = <T>(sized: Buffer): Promise<T[]> => decode(new decoderOf(sized));

/** kafkajs keeps the constructor of its cluster behind a symbol; its description is part of the pinned version. */
const CREATE_CLUSTER = 'private:Kafka:createCluster';

const otherVersion = () =>
  new RelayError('INTERNAL', 'kafkajs is not the version this adapter was written for (2.2.4)');

function createClusterSymbol(kafka: object): symbol {
  const symbol = Object.getOwnPropertySymbols(kafka).find((each) => each.description === CREATE_CLUSTER);
  if (symbol === undefined || typeof (kafka as Record<symbol, unknown>)[symbol] !== 'function') throw otherVersion();
  return symbol;
}

function clusterOf(kafka: object): Cluster {
  const cluster = (kafka as Record<symbol, (options: object) => Cluster | undefined>)[createClusterSymbol(kafka)]?.({});
  if (
    typeof cluster?.connectionPoolBuilder?.build !== 'function' ||
    typeof cluster.brokerPool?.createBroker !== 'function'
  ) {
    throw otherVersion();
  }
  return cluster;
}

/** A whole client of kafkajs, mended. For consumers: what its producer does wrong is said above. */
export function createKafkajs(config: KafkaConfig): kafkajs.Kafka {
  process.env.KAFKAJS_NO_PARTITIONER_WARNING ??= '1';
  mendRequestTimer(require('kafkajs/src/network/requestQueue'));
  const kafka = new kafkajs.Kafka(config);
  mendSeeds(kafka, config.brokers);
  return kafka;
}

/** Kafkajs parts a bootstrap server at its first colon, which is in the middle of an IPv6 address. */
function mendSeeds(kafka: object, brokers: KafkaConfig['brokers']): void {
  if (typeof brokers === 'function') return;
  const seeds = brokers.map(parseBroker);
  const symbol = createClusterSymbol(kafka);
  const clusters = kafka as Record<symbol, (options: object) => Cluster>;
  const create = clusters[symbol] as (options: object) => Cluster;
  let next = 0;
  clusters[symbol] = (options) => {
    const cluster = create(options);
    const builder = cluster.connectionPoolBuilder;
    const build = builder.build.bind(builder);
    builder.build = (address) => build(address?.host ? address : (seeds[next++ % seeds.length] as HostAndPort));
    return cluster;
  };
}

export function createBrokerFactory(config: KafkaConfig): BrokerFactory {
  const cluster = clusterOf(createKafkajs(config));
  return {
    async make(address) {
      const connectionPool = await cluster.connectionPoolBuilder.build(address);
      return cluster.brokerPool.createBroker({ connectionPool, logger: cluster.rootLogger });
    },
  };
}
