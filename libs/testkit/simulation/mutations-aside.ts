/** Ways to get rows set aside wrong. */
import { MISFIT } from '../fakes/kafka-port.ts';
import type { Mutation } from './mutation.ts';
import { ANY_CLAIM } from './sim-tables.ts';
import { settingAside, withSession, withStore } from './wrap-ports.ts';

export const ASIDE_MUTATIONS: readonly Mutation[] = [
  {
    name: 'the marker passes a row before its copy is stored',
    theme: 'poison',
    seedsMax: 2_000,
    senderStore: (store) =>
      withStore(store, {
        setAside: async (lane, claimEpoch, rows) => {
          void store.setAside(lane, claimEpoch, rows).catch(() => false);
          return true;
        },
      }),
  },
  {
    name: 'rows known to be too large are passed without being set aside',
    theme: 'poison',
    seedsMax: 2_000,
    senderStore: (store) => settingAside(store, ({ error }) => !error.includes(MISFIT)),
  },
  {
    name: 'every attempt has the same token',
    theme: 'poison',
    seedsMax: 2_000,
    senderStore: (store) =>
      withStore(store, { beginAttempt: (lane, claimEpoch, ids) => store.beginAttempt(lane, claimEpoch, ids, 1) }),
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
    theme: 'poison',
    seedsMax: 2_000,
    senderStore: (store) => withStore(store, { beginAttempt: async (_lane, _claimEpoch, ids) => ids }),
  },
  {
    name: 'a paused sender may set rows aside and change them',
    theme: 'poison',
    seedsMax: 2_000,
    senderStore: (store) =>
      withStore(store, {
        setAside: (lane, _, rows, doubts) => store.setAside(lane, ANY_CLAIM, rows, doubts),
        beginAttempt: (lane, _, ids, token) => store.beginAttempt(lane, ANY_CLAIM, ids, token),
        settleAttempts: (lane, _, verdicts) => store.settleAttempts(lane, ANY_CLAIM, verdicts),
        moveAside: (lane, _, ids, to) => store.moveAside(lane, ANY_CLAIM, ids, to),
        failAttempts: (lane, _, ids, outcome) => store.failAttempts(lane, ANY_CLAIM, ids, outcome),
      }),
  },
  {
    name: 'a change of rows aside lets go of its lane before it is committed',
    theme: 'poison',
    seedsMax: 2_000,
    senderStore: (store, { process }) => {
      process.locksRows = false;
      return store;
    },
  },
  {
    name: 'later rows of a refused key do not wait',
    theme: 'poison',
    seedsMax: 2_000,
    senderStore: (store) =>
      withStore(store, {
        listAsideHeads: async (lanes, rowsMax) =>
          (await store.listAsideHeads(lanes, rowsMax)).map((row) => ({ ...row, key: null })),
      }),
  },
];
