/** Ways to get commits wrong that a broker acknowledged and lost, wholly or in part. */
import type { Mutation } from './mutation.ts';
import { settingAside, withKafka, withStore } from './wrap-ports.ts';

const NONE: ReadonlySet<number> = new Set();

/** What arrived, or what did not, is not told. */
const withoutLanded =
  (what: 'committed' | 'aborted'): NonNullable<Mutation['kafka']> =>
  (port) =>
    withKafka(port, {
      findLanded: async (ids, lanes) => {
        const landed = await port.findLanded(ids, lanes);
        return landed === null ? null : { ...landed, [what]: NONE };
      },
    });

export const TORN_MUTATIONS: readonly Mutation[] = [
  {
    name: 'what is acknowledged is taken for written for good',
    theme: 'torn',
    seedsMax: 2_000,
    kafka: (port, { kafka }) =>
      withKafka(port, {
        settledMarkers: async (kind, lanes) => {
          await port.settledMarkers(kind, lanes);
          return new Map(lanes.map((lane) => [lane, kafka.marker(kind, lane)]));
        },
      }),
  },
  {
    name: 'a fenced producer takes what was aborted behind it for written for good',
    theme: 'torn',
    seedsMax: 2_000,
    kafka: (port, { kafka }) =>
      withKafka(port, {
        settledMarkers: async (kind, lanes) => {
          await port.settledMarkers(kind, lanes);
          return kafka.settledMarkers(kind, lanes, new Map());
        },
      }),
  },
  {
    name: 'records that the broker left open are taken for ended',
    theme: 'torn',
    seedsMax: 2_000,
    kafka: (port, { kafka }) =>
      withKafka(port, {
        settledMarkers: async (kind, lanes) => {
          const settled = await port.settledMarkers(kind, lanes);
          // While nothing is unsettled by time, what a marker says of its records is all that is held back.
          // A fenced producer is told nothing at all.
          const isTold = settled !== null && [...settled.values()].some((value) => value >= 0);
          return !isTold || !kafka.isAtRest ? settled : new Map(lanes.map((lane) => [lane, kafka.marker(kind, lane)]));
        },
      }),
  },
  {
    name: 'what arrived of a torn transaction is sent again',
    theme: 'torn',
    seedsMax: 2_000,
    kafka: withoutLanded('committed'),
  },
  {
    name: 'what did not arrive of a torn transaction is taken for delivered',
    theme: 'torn',
    seedsMax: 2_000,
    kafka: withoutLanded('aborted'),
  },
  {
    name: 'rows of a torn transaction are passed without being set aside',
    theme: 'torn',
    seedsMax: 2_000,
    senderStore: (store) => settingAside(store, ({ error }) => error !== 'its transaction was torn'),
  },
  {
    name: 'whoever takes over knows only the topics it has sent to itself',
    theme: 'torn',
    seedsMax: 2_000,
    senderStore: (store) => withStore(store, { listTopics: async () => [] }),
  },
  {
    name: 'a topic is written down after it was sent to',
    theme: 'torn',
    seedsMax: 2_000,
    senderStore: (store, { memory }) =>
      withStore(store, {
        // With the next topic's turn, or never: what matters is that nobody waits for it.
        noteTopics: async (topics, forMs) => {
          const before = memory.get('topics') as readonly string[] | undefined;
          memory.set('topics', topics);
          if (before !== undefined) await store.noteTopics(before, forMs);
        },
      }),
  },
  {
    name: 'topics are asked for once, and not after each fence',
    theme: 'torn',
    seedsMax: 2_000,
    senderStore: (store, { memory }) =>
      withStore(store, {
        listTopics: async (sinceMs, rowsMax) => {
          const first = (memory.get('topics') as readonly string[]) ?? (await store.listTopics(sinceMs, rowsMax));
          memory.set('topics', first);
          return first;
        },
      }),
  },
];
