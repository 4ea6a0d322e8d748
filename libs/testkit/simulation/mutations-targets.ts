/** Ways to get topics and partitions wrong that take nothing for a while. */
import type { Landed } from '#outbox';
import type { Mutation } from './mutation.ts';
import { settingAside, withKafka, withStore } from './wrap-ports.ts';

const NOTHING: Landed = { committed: new Set(), aborted: new Set(), unknown: [] };

export const TARGET_MUTATIONS: readonly Mutation[] = [
  {
    name: 'rows of a topic that is away are passed without being set aside',
    theme: 'targets',
    seedsMax: 2_000,
    senderStore: (store) => settingAside(store, ({ state }) => state !== 'waiting'),
  },
  {
    name: 'whoever takes over does not know which partitions rows wait for',
    theme: 'targets',
    seedsMax: 2_000,
    senderStore: (store) => withStore(store, { listQueues: async () => [] }),
  },
  {
    name: 'rows that waited for a partition come back in any order',
    theme: 'targets',
    seedsMax: 2_000,
    senderStore: (store) =>
      withStore(store, {
        readQueue: async (lane, waitsFor, upTo, limits) =>
          (await store.readQueue(lane, waitsFor, upTo, limits)).toReversed(),
      }),
  },
  {
    name: 'rows that waited are taken for arrived as soon as they are sent',
    theme: 'targets',
    seedsMax: 2_000,
    senderStore: (store) =>
      withStore(store, {
        beginAttempt: async (lane, claimEpoch, ids, token) => {
          const begun = await store.beginAttempt(lane, claimEpoch, ids, token);
          if (ids.length > 1) await store.removeAside(ids);
          return begun;
        },
      }),
  },
  {
    name: 'a partition that cannot be asked is taken for one that got nothing',
    theme: 'targets',
    seedsMax: 2_000,
    kafka: (port) =>
      withKafka(port, {
        findLanded: async (ids, lanes) => {
          const landed = await port.findLanded(ids, lanes);
          return landed === null ? null : { ...landed, unknown: [] };
        },
      }),
  },
  {
    name: 'what may have arrived in a partition is forgotten with its sender',
    theme: 'targets',
    seedsMax: 2_000,
    senderStore: (store) => withStore(store, { listDoubts: async () => new Map() }),
  },
  {
    name: 'a partition that is back is not asked what arrived in it',
    theme: 'targets',
    seedsMax: 2_000,
    kafka: (port) =>
      withKafka(port, {
        findDoubted: async (doubts, lane) => {
          await port.findDoubted(doubts, lane);
          return NOTHING;
        },
      }),
  },
  {
    name: 'what was left open in a partition that was away is not ended before it is written to again',
    theme: 'targets',
    seedsMax: 4_000,
    kafka: (port, { kafka }) => {
      kafka.endLeftoversAt = () => undefined;
      return port;
    },
  },
];
