/** Ways to get take-over, fencing and delivery wrong. */
import { type Landed, type LaneBatch, laneFloor, type OutboxRow, type ProducerSession } from '#outbox';
import { asRelayError } from '#runtime';
import type { Mutation } from './mutation.ts';
import { TOPICS } from './scenario.ts';
import { ANY_CLAIM } from './sim-tables.ts';
import { withKafka, withSession, withStore } from './wrap-ports.ts';

export const SENDER_MUTATIONS: readonly Mutation[] = [
  {
    name: 'the marker is read before the former holder is fenced',
    theme: 'take-over',
    seedsMax: 2_000,
    // What was committed when the lane was claimed is what the taker believes: the marker, and what it reads back.
    senderStore: (store, { kafka, tables, memory }) =>
      withStore(store, {
        claimLane: async (lane, holder, leaseMs) => {
          const row = tables.lanes.get(lane);
          const formers = [...(row?.fenceIds ?? []), row?.holder ?? holder];
          const early = {
            marker: kafka.marker('lane', lane),
            landed: kafka.findLanded(formers, [lane], new Set(TOPICS)),
          };
          const claim = await store.claimLane(lane, holder, leaseMs);
          if (claim !== null && claim.fenceIds.length > 0) memory.set(`early ${lane}`, early);
          return claim;
        },
        renewLeases: (claims, leaseMs) => {
          for (const { lane } of claims) memory.delete(`early ${lane}`);
          return store.renewLeases(claims, leaseMs);
        },
      }),
    kafka: (port, { memory }) => {
      const earlyOf = (lane: number) => memory.get(`early ${lane}`) as { marker: number; landed: Landed } | undefined;
      return withKafka(port, {
        readMarkers: async (kind, lanes) => {
          const markers = new Map(await port.readMarkers(kind, lanes));
          if (kind === 'lane')
            for (const lane of lanes) markers.set(lane, earlyOf(lane)?.marker ?? markers.get(lane) ?? -1);
          return markers;
        },
        findLanded: async (ids, lanes) => {
          const landed = await port.findLanded(ids, lanes);
          const early = lanes.map(earlyOf).find((each) => each !== undefined);
          return early?.landed ?? landed;
        },
      });
    },
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
    name: 'a commit with an unknown outcome is retried on the same producer',
    theme: 'take-over',
    seedsMax: 2_000,
    kafka: (port) =>
      withSession(port, (_, again) => {
        let session: ProducerSession | null = _;
        return {
          transact: async (records, markers) => {
            try {
              await session?.transact(records, markers);
            } catch (thrown) {
              if (asRelayError(thrown).code !== 'KAFKA_OUTCOME_UNKNOWN') throw thrown;
              session = await again();
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
        readMarkers: async (kind, lanes) => fromTheStart(kind, lanes, await port.readMarkers(kind, lanes)),
        settledMarkers: async (kind, lanes) =>
          fromTheStart(kind, lanes, (await port.settledMarkers(kind, lanes)) ?? new Map()),
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
    name: 'a claim forgets whom an earlier taker should have fenced',
    theme: 'take-over',
    seedsMax: 2_000,
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
      withSession(port, (session, again) => {
        let current = session;
        return {
          transact: async (records, markers) => {
            try {
              await current.transact(records, markers);
            } catch (thrown) {
              if (asRelayError(thrown).code !== 'KAFKA_OUTCOME_UNKNOWN') throw thrown;
              current = await again();
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
        open: async (id, sentTopics) => {
          memory.set('before', new Map([...tables.lanes].map(([lane, row]) => [lane, row.claimEpoch])));
          return port.open(id, sentTopics);
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
        open: async (id, sentTopics) => {
          const lanes = Array.from({ length: 16 }, (_, lane) => lane);
          const markers = new Map(lanes.map((lane) => [lane, kafka.marker('lane', lane)]));
          const landed = kafka.findLanded([id], lanes, new Set(TOPICS));
          const session = await port.open(id, sentTopics);
          memory.set('before', { markers, landed });
          return session;
        },
        readMarkers: async (kind, lanes) => {
          const before = memory.get('before') as { readonly markers: ReadonlyMap<number, number> } | undefined;
          const markers = await port.readMarkers(kind, lanes);
          if (kind !== 'lane' || before === undefined) return markers;
          return new Map(lanes.map((lane) => [lane, before.markers.get(lane) ?? -1]));
        },
        findLanded: async (ids, lanes) => {
          const before = memory.get('before') as { readonly landed: Landed } | undefined;
          memory.delete('before');
          const landed = await port.findLanded(ids, lanes);
          return before?.landed ?? landed;
        },
      }),
  },
  {
    name: 'the markers are committed after the records instead of with them',
    seedsMax: 2_000,
    // Nor is anything read back, which would tell what came between the two.
    kafka: (port) =>
      withSession(withKafka(port, { findLanded: async () => null }), (session) => ({
        transact: async (records, markers) => {
          await session.transact(records, []);
          await session.transact([], markers);
        },
      })),
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

const fromTheStart = (kind: 'lane' | 'retry', lanes: readonly number[], markers: ReadonlyMap<number, number>) =>
  new Map(lanes.map((lane) => [lane, Math.max(kind === 'lane' ? laneFloor(lane) : -1, markers.get(lane) ?? -1)]));

/** The first two rows change places; the last one, and with it the marker, stays. */
function swapped(rows: readonly OutboxRow[]): readonly OutboxRow[] {
  const [first, second, ...rest] = rows;
  return first === undefined || second === undefined || rest.length === 0 ? rows : [second, first, ...rest];
}
