/** Ways to get the writer wrong. */
import { laneOf, outboxId } from '#outbox';
import { asRelayError } from '#runtime';
import type { Mutation } from './mutation.ts';
import { withWriter } from './wrap-ports.ts';

export const WRITER_MUTATIONS: readonly Mutation[] = [
  {
    name: 'append without compare-and-set',
    theme: 'writers',
    seedsMax: 2_000,
    writerStore: (store, { tables }) =>
      withWriter(store, {
        append: (request) => {
          const now = tables.watermarks.get(request.source);
          const seen = now === undefined ? {} : { epoch: now.epoch, expectedNextSequence: now.nextSequence };
          return store.append({ ...request, ...seen });
        },
      }),
  },
  {
    name: 'a gap is closed at once',
    seedsMax: 2_000,
    gapGraceMs: 0,
    reader: (reader) =>
      new Proxy(reader, {
        get: (target, name) => {
          if (name === 'probe') return async () => 'empty' as const;
          const value = Reflect.get(target, name) as unknown;
          return typeof value === 'function' ? value.bind(target) : value;
        },
      }),
  },
  {
    name: 'an empty probe is believed at once',
    seedsMax: 2_000,
    gapGraceMs: 0,
  },
  {
    name: 'late rows are emitted after fresh ones',
    seedsMax: 2_000,
    writerStore: (store, { tables }) =>
      withWriter(store, {
        append: (request) => {
          const position = tables.watermarks.get(request.source)?.position ?? 0n;
          const isLate = ({ eventId }: { eventId: string }) => BigInt(eventId.split(':')[1] as string) <= position;
          const { messages } = request;
          const turned = [...messages.filter((message) => !isLate(message)), ...messages.filter(isLate)];
          const first = request.expectedNextSequence;
          return store.append({
            ...request,
            messages: turned.map((message, at) => ({ ...message, id: outboxId(laneOf(message.id), first + at) })),
          });
        },
      }),
  },
  {
    name: 'an unknown commit of the writer is taken for committed',
    theme: 'writers',
    seedsMax: 2_000,
    writerStore: (store) =>
      withWriter(store, {
        append: async (request) => {
          try {
            return await store.append(request);
          } catch (thrown) {
            if (asRelayError(thrown).code !== 'DB_COMMIT_UNKNOWN') throw thrown;
            return 'committed';
          }
        },
      }),
  },
  {
    name: 'open gaps are not written down',
    seedsMax: 2_000,
    writerStore: (store) =>
      withWriter(store, {
        append: (request) => store.append({ ...request, next: { ...request.next, gaps: [] } }),
      }),
  },
];
