/** Requests that change topics: for `init`, `init --create-topic`, and tests. */
import type { WireRequest } from './request.ts';

const TIMEOUT_MS = 15_000;

export interface NewTopic {
  readonly topic: string;
  readonly partitions: number;
  /** -1: the broker's default. */
  readonly replicationFactor: number;
  readonly config: Readonly<Record<string, string>>;
}

type TopicCodes = readonly { readonly topic: string; readonly code: number }[];

export const createTopics = (topics: readonly NewTopic[]): WireRequest<TopicCodes> => ({
  api: 19,
  name: 'CreateTopics',
  version: 4,
  write: (writer) => {
    writer.array(topics, ({ topic, partitions, replicationFactor, config }) => {
      writer.string(topic).int32(partitions).int16(replicationFactor).int32(0);
      writer.array(Object.entries(config), ([name, value]) => writer.string(name).string(value));
    });
    writer.int32(TIMEOUT_MS).boolean(false);
  },
  read: (reader) => {
    reader.int32();
    return reader.array(() => {
      const verdict = { topic: reader.string() ?? '', code: reader.int16() };
      reader.string();
      return verdict;
    });
  },
});

export const growTopic = (topic: string, partitions: number): WireRequest<TopicCodes> => ({
  api: 37,
  name: 'CreatePartitions',
  version: 1,
  write: (writer) => {
    writer.array([topic], (name) => writer.string(name).int32(partitions).int32(-1));
    writer.int32(TIMEOUT_MS).boolean(false);
  },
  read: (reader) => {
    reader.int32();
    return reader.array(() => {
      const verdict = { topic: reader.string() ?? '', code: reader.int16() };
      reader.string();
      return verdict;
    });
  },
});

export const deleteTopics = (topics: readonly string[]): WireRequest<TopicCodes> => ({
  api: 20,
  name: 'DeleteTopics',
  version: 3,
  write: (writer) => {
    writer.array(topics, (topic) => writer.string(topic)).int32(TIMEOUT_MS);
  },
  read: (reader) => {
    reader.int32();
    return reader.array(() => ({ topic: reader.string() ?? '', code: reader.int16() }));
  },
});
