/** One broker and how to ask it: connects when needed, checks the version both sides speak, keeps a deadline. */
import { addressText, type Clock, RelayError, withDeadline } from '#runtime';
import { explainConnect } from './explain-connect.ts';
import type { KafkaSettings } from './kafka-options.ts';
import type { Broker, BrokerConnection } from './kafkajs.ts';
import { MutedSockets, throttleOf } from './muted-sockets.ts';
import type { WireRequest } from './wire/request.ts';
import { WireReader } from './wire/wire-reader.ts';
import { WireWriter } from './wire/wire-writer.ts';

export interface BrokerLink {
  readonly host: string;
  readonly port: number;
  connect(): Promise<void>;
  /** True while it can be asked without connecting first. */
  isConnected(): boolean;
  /** Sends a request and reads its answer. Rejects with kafkajs's errors or RelayError: see the fault table. */
  ask<Answer>(request: WireRequest<Answer>): Promise<Answer>;
  /**
   * Resolves as soon as the request is on its way: the broker answers the requests of a socket in their order, so that
   * the next one may be written meanwhile. A rejection of `answer` that nobody awaits is not an unhandled one.
   */
  post<Answer>(request: WireRequest<Answer>): Promise<{ readonly answer: Promise<Answer> }>;
  /** The API versions the broker speaks; empty before the first connection. */
  versions(): Readonly<Record<number, { minVersion: number; maxVersion: number }>>;
  /** How long the broker takes nothing more from us, by its own word; 0: it does. */
  throttledMs(): number;
  /** Cuts the connections; requests under way are rejected. */
  drop(): Promise<void>;
}

export interface LinkLimits {
  readonly connectionTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly clock?: Clock;
  /** Told of each answer that says so: the broker takes nothing from that socket for so long. */
  readonly onThrottle?: (broker: string, throttleMs: number) => void;
  /** To tell why a connection fails. */
  readonly ssl?: KafkaSettings['ssl'] | undefined;
  readonly sasl?: KafkaSettings['sasl'] | undefined;
}

/**
 * All requests of a transaction share one socket, whose requests a broker takes one after the other: two of them that
 * make it verify the same transaction at once (produce, and the commit of offsets) would be refused, one for the other,
 * with NOT_ENOUGH_REPLICAS. Only fetches wait long, and have a socket of their own.
 */
const FETCH_API = 1;
/** Requests above this size get a buffer of their own that is not kept. */
const KEPT_BUFFER_BYTES_MAX = 4 * 1024 * 1024;
const DROP_DEADLINE_MS = 1_000;
/** What an unanswered request reads: an array of nothing. */
const NO_ITEMS = Buffer.alloc(4);

function putHeader(writer: WireWriter, request: WireRequest<unknown>, id: number, clientId: string): void {
  writer.offset = 0;
  writer.int32(0).int16(request.api).int16(request.version).int32(id).string(clientId);
  if (request.flexible) writer.noTags();
}

function checkVersion(broker: Broker, { api, name, version }: WireRequest<unknown>): void {
  if (!broker.versions) throw new RelayError('KAFKA_UNREACHABLE', 'the broker has not said what it speaks');
  const range = broker.versions[api];
  if (range && range.minVersion <= version && version <= range.maxVersion) return;
  const spoken = range ? `${range.minVersion} to ${range.maxVersion}` : 'no version';
  throw new RelayError(
    'KAFKA_UNSUPPORTED',
    `the broker speaks ${spoken} of ${name}, version ${version} is needed (Kafka 2.5 or newer)`,
    { details: { api: name } },
  );
}

/** Hands the bytes to kafkajs's request queue, which matches the answer and times it out. */
function push(
  connection: BrokerConnection,
  request: WireRequest<unknown>,
  id: number,
  bytes: Buffer,
  requestTimeoutMs: number,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    connection.requestQueue.push({
      entry: {
        apiKey: request.api,
        apiName: request.name,
        apiVersion: request.version,
        correlationId: id,
        resolve: ({ payload }) => resolve(payload ?? Buffer.alloc(0)),
        reject,
      },
      expectResponse: request.answered !== false,
      requestTimeout: requestTimeoutMs,
      sendRequest: () => {
        connection.socket?.write(bytes);
      },
    });
  });
}

async function connectBroker(broker: Broker, limits: LinkLimits): Promise<void> {
  const { host, port } = broker.connectionPool;
  const deadlineMs = limits.connectionTimeoutMs * 2 + limits.requestTimeoutMs;
  try {
    await withDeadline(broker.connect(), deadlineMs, `connecting to broker ${addressText(host, port)}`);
  } catch (error) {
    throw explainConnect(error, { host, port }, broker.versions ? 'login' : 'open', limits);
  }
}

/** Sockets opened later, and sessions near their end (KIP-368), authenticate here. */
async function openConnection(
  broker: Broker,
  { api }: WireRequest<unknown>,
  limits: LinkLimits,
): Promise<BrokerConnection> {
  try {
    const connection = await broker.connectionPool.getConnection(api === FETCH_API ? 1 : 0);
    if (connection.sasl && !connection.isAuthenticated()) await connection.authenticate();
    return connection;
  } catch (error) {
    throw explainConnect(error, broker.connectionPool, 'login', limits);
  }
}

/** A request under way would hold up kafkajs's disconnect until it times out. */
async function cut(connection: BrokerConnection): Promise<void> {
  connection.rejectRequests(gone());
  await withDeadline(connection.disconnect(), DROP_DEADLINE_MS, 'disconnecting').catch(() => undefined);
  connection.socket?.destroy();
}

const lost = ({ connectionPool: { host, port } }: Broker): RelayError =>
  new RelayError('KAFKA_UNREACHABLE', `the connection to broker ${addressText(host, port)} was lost`);
const gone = (): RelayError => new RelayError('KAFKA_UNREACHABLE', 'the connection to the broker was closed');

export function createBrokerLink(broker: Broker, limits: LinkLimits): BrokerLink {
  const { host, port } = broker.connectionPool;
  // Writers are lent out one a request: a buffer may be reused only when its request was answered.
  const idleWriters: WireWriter[] = [];
  const muted = new MutedSockets(limits.clock);
  let dropped = false;
  let answered = false;

  const isConnected = () => broker.isConnected() && broker.versions !== null;

  async function connect(): Promise<void> {
    // While another caller connects, the socket is there before the broker has said what it speaks.
    if (isConnected()) return;
    await connectBroker(broker, limits);
    if (dropped) await drop();
  }

  async function post<Answer>(request: WireRequest<Answer>): Promise<{ readonly answer: Promise<Answer> }> {
    if (dropped) throw gone();
    await connect();
    checkVersion(broker, request);
    const connection = await openConnection(broker, request, limits);
    await muted.opened(connection);
    if (dropped) throw gone();
    const writer = idleWriters.pop() ?? new WireWriter(512);
    const id = connection.nextCorrelationId();
    putHeader(writer, request, id, connection.clientId);
    await request.write(writer);
    writer.bytes.writeInt32BE(writer.offset - 4, 0);
    if (!connection.isConnected()) throw lost(broker);
    const payload = push(connection, request, id, writer.written(), limits.requestTimeoutMs);
    const explained = payload.catch((error) => {
      throw answered ? error : explainConnect(error, { host, port }, 'first', limits);
    });
    const answer = explained.then((bytes) => readAnswer(request, bytes, writer, connection));
    answer.catch(() => undefined);
    return { answer };
  }

  function readAnswer<Answer>(
    request: WireRequest<Answer>,
    payload: Buffer,
    writer: WireWriter,
    connection: BrokerConnection,
  ): Answer {
    if (request.answered === false) return request.read(new WireReader(NO_ITEMS));
    answered = true;
    if (writer.bytes.length <= KEPT_BUFFER_BYTES_MAX) idleWriters.push(writer);
    const reader = new WireReader(payload);
    if (request.flexible && !request.plainAnswer) reader.skipTags();
    const throttleMs = throttleOf(request, payload, reader.offset);
    if (throttleMs > 0) {
      muted.mute(connection, throttleMs, limits.requestTimeoutMs);
      limits.onThrottle?.(`${host}:${port}`, throttleMs);
    }
    return request.read(reader);
  }

  async function drop(): Promise<void> {
    dropped = true;
    muted.close();
    idleWriters.length = 0;
    await Promise.all(broker.connectionPool.pool.map(cut));
  }

  const ask = async <Answer>(request: WireRequest<Answer>) => (await post(request)).answer;

  const versions = () => broker.versions ?? {};
  return { host, port, connect, isConnected, ask, post, drop, versions, throttledMs: () => muted.leftMs };
}
