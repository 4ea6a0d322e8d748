/**
 * Rank 1: large messages over topics that cannot take them. `splitMessage` cuts a message into chunks, a joiner puts them
 * together again. The headers are those of retriable-kafka-client (PyPI), so that either side may be Python.
 * Nothing here talks to Kafka: whoever reads asks the joiner what may be committed. After a crash the chunks of unfinished
 * groups are read again, because nothing behind them was committed.
 */
export {
  CHUNK_COUNT_HEADER,
  CHUNK_GROUP_HEADER,
  CHUNK_ID_HEADER,
  type ChunkPlace,
  chunkHeaders,
  decodeNumber,
  encodeNumber,
  type HeaderFault,
  headerValues,
  type MessageHeaders,
  oneHeader,
  readChunkPlace,
  withoutChunkHeaders,
} from './chunk-headers.ts';
export { createJoiner } from './create-joiner.ts';
export type { DeadReason, JoinedMessage, Joiner, JoinerOptions, JoinOutcome, ReadRecord } from './join-outcome.ts';
export { ownBytes, ownRecord } from './own-bytes.ts';
export {
  CHUNKS_MAX,
  headerBytes,
  type OutgoingMessage,
  RECORD_BYTES_MAX,
  RECORD_OVERHEAD_BYTES,
  type SplitOptions,
  splitMessage,
} from './split-message.ts';
export {
  createSplittingSender,
  type SendableMessage,
  type SendRequest,
  type SplittingOptions,
} from './splitting-producer.ts';
