/**
 * Ways to get the protocol wrong, each done to the ports of the simulated processes; production code stays as it is. The
 * simulation must find every one of them, or it proves nothing about the protocol as written.
 */
import type { KafkaPort, LaneBatch, OutboxRow, ProducerSession, SenderStore, WriterStore } from '#outbox';
import { laneFloor, laneOf, outboxId } from '#outbox';
import { asRelayError } from '#runtime';
import type { Mutation } from './mutation.ts';

const withStore = (store: SenderStore, change: Partial<SenderStore>): SenderStore =>
  new Proxy(store, { get: (target, name) => Reflect.get(change, name) ?? Reflect.get(target, name) });

const withKafka = (port: KafkaPort, change: Partial<KafkaPort>): KafkaPort => ({ ...port, ...change });

const withSession = (
  port: KafkaPort,
  change: (session: ProducerSession, id: string) => Partial<ProducerSession>,
): KafkaPort =>
  withKafka(port, {
    open: async (id) => {
      const session = await port.open(id);
      return { ...session, ...change(session, id) };
    },
  });

const withWriter = (store: WriterStore, change: Partial<WriterStore>): WriterStore =>
  new Proxy(store, { get: (target, name) => Reflect.get(change, name) ?? Reflect.get(target, name) });

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'the marker is read before the former holder is fenced',
    // What was committed when the lane was claimed is what the taker believes.
    senderStore: (store, { kafka, memory }) =>
      withStore(store, {
        claimLane: async (lane, holder, leaseMs) => {
          const early = kafka.marker('lane', lane);
          const claim = await store.claimLane(lane, holder, leaseMs);
          if (claim !== null && claim.fenceIds.length > 0) memory.set(`early ${lane}`, early);
          return claim;
        },
      }),
    kafka: (port, { memory }) =>
      withKafka(port, {
        readMarkers: async (kind, lanes) => {
          const markers = new Map(await port.readMarkers(kind, lanes));
          for (const lane of lanes) {
            const early = memory.get(`early ${lane}`) as number | undefined;
            if (kind === 'lane' && early !== undefined) markers.set(lane, early);
            if (kind === 'lane') memory.delete(`early ${lane}`);
          }
          return markers;
        },
      }),
  },
  {
    name: 'rows are deleted before the marker covers them',
    senderStore: (store) =>
      withStore(store, {
        readBatches: async (cursors, limits) => {
          const batches = await store.readBatches(cursors, limits);
          for (const { lane, rows } of batches) {
            const last = rows.at(-1);
            if (last !== undefined) await store.deleteDelivered(lane, laneFloor(lane), last.id, rows.length);
          }
          return batches;
        },
      }),
  },
  {
    name: 'append without compare-and-set',
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
    gapGraceMs: 0,
  },
  {
    name: 'a transaction with an unknown outcome is sent again',
    kafka: (port) =>
      withSession(port, (_, id) => {
        let session: ProducerSession | null = _;
        return {
          transact: async (records, markers) => {
            try {
              await session?.transact(records, markers);
            } catch (thrown) {
              if (asRelayError(thrown).code !== 'KAFKA_OUTCOME_UNKNOWN') throw thrown;
              session = await port.open(id);
              await session.transact(records, markers);
            }
          },
          close: async () => session?.close(),
        };
      }),
  },
  {
    name: 'a missing marker is taken for the start of the lane',
    senderStore: (store) =>
      withStore(store, {
        claimLane: async (lane, holder, leaseMs) => {
          const claim = await store.claimLane(lane, holder, leaseMs);
          return claim === null ? null : { ...claim, deliveredId: claim.deliveredId === null ? null : laneFloor(lane) };
        },
      }),
    kafka: (port) =>
      withKafka(port, {
        readMarkers: async (kind, lanes) => {
          const markers = await port.readMarkers(kind, lanes);
          return new Map(lanes.map((lane) => [lane, Math.max(laneFloor(lane), markers.get(lane) ?? -1)]));
        },
      }),
  },
  {
    name: 'the former holder is not fenced',
    kafka: (port) => withKafka(port, { fence: async () => undefined }),
  },
  {
    name: 'a claim forgets the former holder',
    senderStore: (store) =>
      withStore(store, {
        claimLane: async (lane, holder, leaseMs) => {
          const claim = await store.claimLane(lane, holder, leaseMs);
          return claim === null ? null : { ...claim, fenceIds: [] };
        },
      }),
  },
  {
    name: 'a claim forgets whom an earlier taker should have fenced',
    senderStore: (store) =>
      withStore(store, {
        claimLane: async (lane, holder, leaseMs) => {
          const claim = await store.claimLane(lane, holder, leaseMs);
          if (claim === null) return null;
          return { ...claim, fenceIds: claim.formerHolder === null ? [] : [claim.formerHolder] };
        },
      }),
  },
  {
    name: 'a claim that was taken in the meantime is believed',
    senderStore: (store) =>
      withStore(store, {
        clearFences: async (lane, claimEpoch) => {
          await store.clearFences(lane, claimEpoch);
          return true;
        },
      }),
  },
  {
    name: 'a reopened session does not look whether its lanes are still its own',
    senderStore: (store) =>
      withStore(store, {
        renewLeases: async (claims, leaseMs) => {
          await store.renewLeases(claims, leaseMs);
          return claims.map(({ lane }) => lane);
        },
      }),
  },
  {
    name: 'late rows are emitted after fresh ones',
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
    name: 'an unknown transaction of the sender is taken for committed',
    kafka: (port) =>
      withSession(port, (session, id) => {
        let current = session;
        return {
          transact: async (records, markers) => {
            try {
              await current.transact(records, markers);
            } catch (thrown) {
              if (asRelayError(thrown).code !== 'KAFKA_OUTCOME_UNKNOWN') throw thrown;
              current = await port.open(id);
            }
          },
          close: () => current.close(),
        };
      }),
  },
  {
    name: 'the marker passes a row before its copy is stored',
    senderStore: (store) =>
      withStore(store, {
        setAside: async (lane, claimEpoch, rows) => {
          void store.setAside(lane, claimEpoch, rows).catch(() => false);
          return true;
        },
      }),
  },
  {
    name: 'every attempt has the same token',
    senderStore: (store) =>
      withStore(store, { beginAttempt: (lane, claimEpoch, id) => store.beginAttempt(lane, claimEpoch, id, 1) }),
    kafka: (port) =>
      withSession(port, (session) => ({
        transact: (records, markers) =>
          session.transact(
            records,
            markers.map((marker) => (marker.kind === 'retry' ? { ...marker, value: 1 } : marker)),
          ),
      })),
  },
  {
    name: 'an attempt without a token',
    senderStore: (store) => withStore(store, { beginAttempt: async () => true }),
  },
  {
    name: 'a paused sender may set rows aside and change them',
    senderStore: (store, { tables }) => {
      const now = (lane: number) => tables.lanes.get(lane)?.claimEpoch ?? 0;
      return withStore(store, {
        setAside: (lane, _, rows) => store.setAside(lane, now(lane), rows),
        beginAttempt: (lane, _, id, token) => store.beginAttempt(lane, now(lane), id, token),
        failAttempt: (lane, _, id, outcome) => store.failAttempt(lane, now(lane), id, outcome),
      });
    },
  },
  {
    name: 'a lane is halted by whoever once held it',
    senderStore: (store, { tables }) =>
      withStore(store, {
        haltLane: (lane, _, why) => store.haltLane(lane, tables.lanes.get(lane)?.claimEpoch ?? 0, why),
      }),
  },
  {
    name: 'rows are read without their order',
    senderStore: (store) =>
      withStore(store, {
        readBatches: async (cursors, limits) => {
          const batches = await store.readBatches(cursors, limits);
          return batches.map((batch): LaneBatch => ({ ...batch, rows: swapped(batch.rows) }));
        },
      }),
  },
  {
    name: 'a session is opened after the leases were renewed',
    kafka: (port, { tables, process, memory }) =>
      withKafka(port, {
        open: async (id) => {
          memory.set('before', new Map([...tables.lanes].map(([lane, row]) => [lane, row.claimEpoch])));
          process.clock.nowMs();
          return port.open(id);
        },
      }),
    senderStore: (store, { memory }) =>
      withStore(store, {
        renewLeases: async (claims, leaseMs) => {
          const before = memory.get('before') as Map<number, number> | undefined;
          memory.delete('before');
          const kept = await store.renewLeases(claims, leaseMs);
          if (before === undefined) return kept;
          return claims.filter(({ lane, claimEpoch }) => before.get(lane) === claimEpoch).map(({ lane }) => lane);
        },
      }),
  },
  {
    name: 'the markers are read before the session is opened',
    kafka: (port, { kafka, memory }) =>
      withKafka(port, {
        open: async (id) => {
          memory.set('before', (lane: number) => lane);
          const before = new Map(Array.from({ length: 16 }, (_, lane) => [lane, kafka.marker('lane', lane)]));
          const session = await port.open(id);
          memory.set('before', before);
          return session;
        },
        readMarkers: async (kind, lanes) => {
          const before = memory.get('before') as Map<number, number> | undefined;
          const markers = await port.readMarkers(kind, lanes);
          if (kind !== 'lane' || before === undefined) return markers;
          memory.delete('before');
          return new Map(lanes.map((lane) => [lane, before.get(lane) ?? -1]));
        },
      }),
  },
  {
    name: 'the markers are committed after the records instead of with them',
    kafka: (port) =>
      withSession(port, (session) => ({
        transact: async (records, markers) => {
          await session.transact(records, []);
          await session.transact([], markers);
        },
      })),
  },
  {
    name: 'open gaps are not written down',
    writerStore: (store) =>
      withWriter(store, {
        append: (request) => store.append({ ...request, next: { ...request.next, gaps: [] } }),
      }),
  },
  {
    name: 'a running lease is ignored',
    senderStore: (store, { tables }) =>
      withStore(store, {
        listLanes: async () => (await store.listLanes()).map((row) => ({ ...row, leaseExpired: true })),
        claimLane: async (lane, holder, leaseMs) => {
          const row = tables.lanes.get(lane);
          if (row?.state !== 'running' || row.holder === null) return store.claimLane(lane, holder, leaseMs);
          const fenceIds = [...row.fenceIds, row.holder];
          const claimEpoch = row.claimEpoch + 1;
          tables.lanes.set(lane, { ...row, holder, claimEpoch, fenceIds });
          const { source, deliveredId } = row;
          return { lane, source, claimEpoch, deliveredId, fenceIds, formerHolder: row.holder };
        },
      }),
  },
  {
    name: 'later rows of a refused key do not wait',
    senderStore: (store) =>
      withStore(store, {
        listAsideHeads: async (lanes, rowsMax) =>
          (await store.listAsideHeads(lanes, rowsMax)).map((row) => ({ ...row, key: null })),
      }),
  },
];

/** The first two rows change places; the last one, and with it the marker, stays. */
function swapped(rows: readonly OutboxRow[]): readonly OutboxRow[] {
  const [first, second, ...rest] = rows;
  return first === undefined || second === undefined || rest.length === 0 ? rows : [second, first, ...rest];
}
