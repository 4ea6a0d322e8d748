/** Ways to get the writer wrong. */
import type { HeldLock } from '#leader-election';
import { laneOf, outboxId, type TransactionList, withReader } from '#outbox';
import { asRelayError } from '#runtime';
import type { Mutation } from './mutation.ts';
import { withWriter } from './wrap-ports.ts';

/** A lock that everybody has. */
const FREE_FOR_ALL: HeldLock = { renew: async () => ({ kind: 'held' }), release: async () => undefined };

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
      withReader(reader, {
        listTransactions: async () => ({ server: 'fake', transactions: [] }),
        presentIn: async () => [],
      }),
  },
  {
    name: 'an id without a row and without a lock is given up after a grace',
    seedsMax: 2_000,
    reader: (reader) => (reader.gapMode === 'transactions' ? withReader(reader, { gapMode: 'locks' }) : reader),
  },
  {
    name: 'transactions are listed in the moment in which a gap is sighted',
    seedsMax: 2_000,
    gapGraceMs: 0,
  },
  {
    name: 'a list of transactions is believed that was made before the question',
    seedsMax: 2_000,
    reader: (reader, { memory }) =>
      withReader(reader, {
        listTransactions: async () => {
          const before = memory.get('list') as TransactionList | null | undefined;
          const now = (await reader.listTransactions?.()) ?? null;
          memory.set('list', now);
          return before ?? { server: 'fake', transactions: [] };
        },
      }),
  },
  {
    name: 'every second transaction is taken for a mere reader',
    seedsMax: 2_000,
    reader: (reader) =>
      withReader(reader, {
        listTransactions: async () => {
          const list = (await reader.listTransactions?.()) ?? null;
          return list && { ...list, transactions: list.transactions.filter(({ id }) => Number(id) % 2 === 0) };
        },
      }),
  },
  {
    name: 'late rows are emitted after fresh ones',
    seedsMax: 2_000,
    writerStore: (store, { tables }) =>
      withWriter(store, {
        append: (request) => {
          const position = tables.watermarks.get(request.source)?.position ?? 0n;
          const isLate = ({ eventId }: { eventId: string }) => BigInt(eventId.split(':').at(-1) as string) <= position;
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
    name: 'whoever gets no answer from the lock service leads at once, and asks for no lock of the database',
    theme: 'lock',
    seedsMax: 2_000,
    fallbackAfterMs: 0,
    databaseLocks: (locks) => ({ ...locks, acquire: async () => ({ kind: 'won', lock: FREE_FOR_ALL }) }),
  },
  {
    name: 'nobody is elected while the lock service is away',
    theme: 'lock',
    seedsMax: 2_000,
    fallbackAfterMs: Number.POSITIVE_INFINITY,
  },
  {
    name: 'open gaps are not written down',
    seedsMax: 2_000,
    writerStore: (store) =>
      withWriter(store, {
        append: (request) => store.append({ ...request, next: { ...request.next, gaps: { put: [], drop: [] } } }),
      }),
  },
];
