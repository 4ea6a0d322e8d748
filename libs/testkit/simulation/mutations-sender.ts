/** Ways to get take-over, fencing and delivery wrong. */
import { type LaneBatch, laneFloor, type OutboxRow, type ProducerSession } from '#outbox';
import { asRelayError } from '#runtime';
import type { Mutation } from './mutation.ts';
import { ANY_CLAIM } from './sim-tables.ts';
import { withKafka, withSession, withStore } from './wrap-ports.ts';

export const SENDER_MUTATIONS: readonly Mutation[] = [
  {
    name: 'the marker is read before the former holder is fenced',
    theme: 'take-over',
    seedsMax: 2_000,
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
    seedsMax: 2_000,
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
    name: 'a transaction with an unknown outcome is sent again',
    theme: 'take-over',
    seedsMax: 2_000,
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
    theme: 'any',
    seedsMax: 2_000,
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
    theme: 'take-over',
    seedsMax: 2_000,
    kafka: (port) => withKafka(port, { fence: async () => undefined }),
  },
  {
    name: 'a claim forgets the former holder',
    theme: 'take-over',
    seedsMax: 2_000,
    senderStore: (store) =>
      withStore(store, {
        claimLane: async (lane, holder, leaseMs) => {
          const claim = await store.claimLane(lane, holder, leaseMs);
          return claim === null ? null : { ...claim, fenceIds: [] };
        },
      }),
  },
  {
    name: 'a claim that was taken in the meantime is believed',
    theme: 'take-over',
    seedsMax: 2_000,
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
    theme: 'take-over',
    seedsMax: 2_000,
    senderStore: (store) =>
      withStore(store, {
        renewLeases: async (claims, leaseMs) => {
          await store.renewLeases(claims, leaseMs);
          return claims.map(({ lane }) => lane);
        },
      }),
  },
  {
    name: 'an unknown transaction of the sender is taken for committed',
    theme: 'take-over',
    seedsMax: 2_000,
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
    name: 'a lane is halted by whoever once held it',
    theme: 'take-over',
    seedsMax: 2_000,
    senderStore: (store) => withStore(store, { haltLane: (lane, _, why) => store.haltLane(lane, ANY_CLAIM, why) }),
  },
  {
    name: 'rows are read without their order',
    seedsMax: 2_000,
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
    theme: 'take-over',
    seedsMax: 2_000,
    kafka: (port, { tables, memory }) =>
      withKafka(port, {
        open: async (id) => {
          memory.set('before', new Map([...tables.lanes].map(([lane, row]) => [lane, row.claimEpoch])));
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
    theme: 'take-over',
    seedsMax: 2_000,
    kafka: (port, { kafka, memory }) =>
      withKafka(port, {
        open: async (id) => {
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
    seedsMax: 2_000,
    kafka: (port) =>
      withSession(port, (session) => ({
        transact: async (records, markers) => {
          await session.transact(records, []);
          await session.transact([], markers);
        },
      })),
  },
  {
    name: 'what is acknowledged is taken for written for good',
    theme: 'any',
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
    name: 'a running lease is ignored',
    seedsMax: 2_000,
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
];

/** The first two rows change places; the last one, and with it the marker, stays. */
function swapped(rows: readonly OutboxRow[]): readonly OutboxRow[] {
  const [first, second, ...rest] = rows;
  return first === undefined || second === undefined || rest.length === 0 ? rows : [second, first, ...rest];
}
