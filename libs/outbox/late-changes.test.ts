/** Changes of rows aside that are given up and come all the same, as a COMMIT does whose answer is lost: what goes on meanwhile. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RelayError, systemClock } from '#runtime';
import { createFakeDoorbells, createFakeStore, FakeKafka, FakeOutboxTables, testSender } from '#testkit';
import { outboxId } from './lane.ts';
import { Sender } from './sender.ts';

/** Calls that need the lane's row, which what is late holds locked until it is over. */
const NEED_ROW = [
  ...['setAside', 'beginAttempt', 'settleAttempts', 'failAttempts', 'moveAside'],
  ...['renewLeases', 'clearFences', 'releaseLane', 'deleteDelivered', 'haltLane'],
];

interface Scene {
  /** Bytes of the rows' values; all are of one key. */
  readonly rows: readonly number[];
  /** Which call that sets rows aside is late, from 1 on. */
  readonly late: number;
  /** What makes the row free to go while its copy is under way. */
  readonly free: (tables: FakeOutboxTables, kafka: FakeKafka) => void;
}

const LARGE = 1_000;

/** Runs until the late copy has come and everything was sent; what arrived, and what is aside then. */
async function run({ rows, late, free }: Scene): Promise<{ arrived: number[]; aside: number[] }> {
  const kafka = new FakeKafka();
  kafka.createTopic('t');
  kafka.isMisfit = ({ value, valueBytes }) => (value?.length ?? valueBytes ?? 0) >= LARGE;
  const tables = new FakeOutboxTables(systemClock);
  const bells = createFakeDoorbells();
  const operator = bells.doorbell();
  let copies = 0;
  let underWay: (() => unknown) | null = null;
  const store = createFakeStore({
    tables,
    call: async (name, effect) => {
      if (name === 'setAside') copies += 1;
      if (name === 'setAside' && copies === late && underWay === null) {
        underWay = effect;
        free(tables, kafka);
        operator.ring({ kind: 'retry-due', lanes: [0] });
        throw new RelayError('DB_COMMIT_UNKNOWN', 'the answer was lost');
      }
      if (NEED_ROW.includes(name)) {
        underWay?.();
        underWay = null;
      }
      return effect();
    },
  });
  await store.writer.registerSource({ source: 's', position: 0n, gaps: [], lanes: 1 });
  const { epoch } = await store.writer.beginTerm('s', 'w');
  const messages = rows.map((bytes, at) => ({
    id: outboxId(0, at + 1),
    eventId: `s:${at + 1}`,
    ...{ topic: 't', key: Buffer.from('k'), value: Buffer.alloc(bytes, 'v'), headers: null },
  }));
  const next = { position: 1n, gaps: { put: [], drop: [] }, nextSequence: rows.length + 1 };
  await store.writer.append({ source: 's', epoch, expectedNextSequence: 1, next, messages });
  const idsIn = () => kafka.committed('t').map(({ headers }) => Number(headers.id?.slice(2)));
  const stop = new AbortController();
  const sender = new Sender(
    testSender({
      ...{ store: store.sender, kafka: kafka.port(), doorbell: bells.doorbell() },
      ...{ limits: { rowsMax: 1, bytesMax: 1_000_000 }, tickMs: 300, trimIntervalMs: 300 },
      backoff: { baseMs: 1, maxMs: 2 },
      onEvent: () => {
        if (copies >= late && underWay === null && idsIn().includes(rows.length)) stop.abort();
      },
    }),
  );
  await sender.run(AbortSignal.any([stop.signal, AbortSignal.timeout(20_000)]));
  return { arrived: idsIn(), aside: [...tables.aside.keys()] };
}

describe('a copy whose answer was lost', () => {
  it('is waited for before its row is sent, which fits by then (I4)', async () => {
    const free: Scene['free'] = (_, kafka) => {
      kafka.isMisfit = () => false;
    };
    assert.deepEqual(await run({ rows: [LARGE], late: 1, free }), { arrived: [1], aside: [] });
  });

  it('is waited for before its row is sent, whose key an operator has freed by then (I4)', async () => {
    const free: Scene['free'] = (tables) => void tables.aside.delete(outboxId(0, 1));
    assert.deepEqual(await run({ rows: [LARGE, 1], late: 2, free }), { arrived: [2], aside: [] });
  });
});
