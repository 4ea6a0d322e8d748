/** Rows that are too large, or refused again and again: what they cost the others. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '#runtime';
import { createFakeStore, FakeKafka, FakeOutboxTables, testSender } from '#testkit';
import type { SenderEvent } from './events.ts';
import { outboxId } from './lane.ts';
import type { DeliveryRecord } from './ports.ts';
import { Sender } from './sender.ts';

interface Scene {
  /** Ids of rows in one lane; a key of its own each, unless they share it. */
  readonly rows: readonly { readonly key: string; readonly bytes: number }[];
  readonly kafka: FakeKafka;
  /** Told of each call of the store. */
  readonly onCall?: (name: string) => void;
  readonly retriesMax?: number;
  readonly isDone: (events: readonly SenderEvent[], ids: readonly number[]) => boolean;
}

const idsIn = (kafka: FakeKafka): number[] => kafka.committed('t').map(({ headers }) => Number(headers.id?.slice(2)));

async function run(scene: Scene): Promise<{ ids: readonly number[]; events: readonly SenderEvent[] }> {
  const { kafka, rows } = scene;
  kafka.createTopic('t');
  const store = createFakeStore({
    tables: new FakeOutboxTables(systemClock),
    gate: async (name) => scene.onCall?.(name),
  });
  const [lane = 0] = await store.writer.registerSource({ source: 's', position: 0n, gaps: [], lanes: 1 });
  const { epoch } = await store.writer.beginTerm('s', 'w');
  const messages = rows.map(({ key, bytes }, index) => ({
    id: outboxId(lane, index + 1),
    eventId: `s:${index + 1}`,
    topic: 't',
    key: Buffer.from(key),
    value: Buffer.alloc(bytes, 'v'),
    headers: null,
  }));
  const next = { position: 1n, gaps: { put: [], drop: [] }, nextSequence: rows.length + 1 };
  await store.writer.append({ source: 's', epoch, expectedNextSequence: 1, next, messages });
  const stop = new AbortController();
  const events: SenderEvent[] = [];
  const sender = new Sender(
    testSender({
      ...{ store: store.sender, kafka: kafka.port(), limits: { rowsMax: 10, bytesMax: 1_000_000 } },
      // Whatever is aside is due at once: nothing but the share of retries keeps them from taking every turn.
      ...{ backoff: { baseMs: 0.01, maxMs: 0.02 }, retriesMax: scene.retriesMax ?? 1_000_000, trimIntervalMs: 1 },
      onEvent: (event) => {
        events.push(event);
        if (scene.isDone(events, idsIn(kafka))) stop.abort();
      },
    }),
  );
  await sender.run(AbortSignal.any([stop.signal, AbortSignal.timeout(20_000)]));
  return { ids: idsIn(kafka), events };
}

const kinds = (events: readonly SenderEvent[], kind: SenderEvent['kind']) =>
  events.filter((each) => each.kind === kind);
const LARGE = 1_000;
const isLarge = ({ value, valueBytes }: DeliveryRecord) => (value?.length ?? valueBytes ?? 0) >= LARGE;

describe('rows known to be too large', () => {
  it('cost no session, are set aside many at a time with their keys behind them, and are tried without their payloads', async () => {
    const kafka = new FakeKafka();
    let raised = false;
    kafka.isMisfit = (record) => !raised && isLarge(record);
    kafka.refuses = (record) => !raised && isLarge(record);
    const rows = Array.from({ length: 300 }, (_, n) => ({ key: `k${n % 100}`, bytes: n < 100 ? LARGE : 1 }));
    const good = Array.from({ length: 20 }, (_, n) => ({ key: `g${n}`, bytes: 1 }));
    let reads = 0;
    let copies = 0;
    const { ids, events } = await run({
      kafka,
      rows: [...rows, ...good],
      onCall: (name) => {
        if (name.endsWith('readAside') && !raised) reads += 1;
        if (name.endsWith('setAside')) copies += 1;
      },
      isDone: (seen, arrived) => {
        raised ||= arrived.length === 20 && kinds(seen, 'rows-still-too-large').length > 3;
        return arrived.length === 320;
      },
    });
    const missing = [...rows, ...good].map((_, n) => n + 1).filter((id) => !ids.includes(id));
    assert.deepEqual(missing, [], 'all arrive once they fit');
    for (let key = 0; key < 100; key += 1) {
      const ofKey = ids.filter((id) => id <= 300 && (id - 1) % 100 === key);
      assert.deepEqual(ofKey, [key + 1, key + 101, key + 201]);
    }
    assert.equal(kinds(events, 'session-lost').length, 0);
    assert.equal(kinds(events, 'row-aside').length, 0);
    assert.equal(reads, 0, 'what is known to be too large is not read to be tried');
    assert.ok(copies <= 60, `${copies} transactions of the database for 300 rows`);
  });

  it('become dead letters after as many attempts as any refused row', async () => {
    const kafka = new FakeKafka();
    kafka.isMisfit = isLarge;
    kafka.refuses = isLarge;
    const rows = [{ key: 'k', bytes: LARGE }, { key: 'k', bytes: 1 }, { key: 'l', bytes: LARGE }]; // biome-ignore format: one line
    const { ids, events } = await run({
      kafka,
      rows,
      retriesMax: 3,
      isDone: (seen, arrived) => kinds(seen, 'row-dead').length === 2 && arrived.length === 1,
    });
    assert.deepEqual(ids, [2], 'its key goes on behind it');
    const dead = events.flatMap((event) => (event.kind === 'row-dead' ? [event.attempts] : []));
    assert.deepEqual(dead, [3, 3]);
  });
});

describe('rows that are refused again and again', () => {
  it('never take two turns in a row while fresh rows wait', async () => {
    const kafka = new FakeKafka();
    kafka.refuses = isLarge;
    const rows = Array.from({ length: 200 }, (_, n) => ({ key: `k${n}`, bytes: n < 5 ? LARGE : 1 }));
    const { ids, events } = await run({ kafka, rows, isDone: (_, arrived) => arrived.length === 195 });
    assert.equal(ids.length, 195);
    const retries = kinds(events, 'row-retry-failed').length;
    // A turn may also move markers alone: those of the rows that are aside.
    const turns = kinds(events, 'delivered').length + kinds(events, 'row-aside').length;
    assert.ok(retries > 0 && retries <= turns + 5, `${retries} retries beside ${turns} other turns`);
  });
});
