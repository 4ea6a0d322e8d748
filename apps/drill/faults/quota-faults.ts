/** Kafka slows its clients down: fewer bytes, less of its time, fewer connections. And requests it does not read to their end. */
import { ALL_TARGETS, type Fault, type Injection } from '../fault.ts';
import { type FlowPlan, flowed, flowWhile } from '../flow.ts';
import { type QuotaEntity, setQuota } from '../kafka-config.ts';
import { freshKey, giveUpRow, insertRows } from '../own-rows.ts';
import type { Scene } from '../scene.ts';

/** The processes' own name for themselves, unless a setting gives another. */
const CLIENT: QuotaEntity = { type: 'client-id', name: 'kafka-row-sender' };
const LOOPBACK: QuotaEntity = { type: 'ip', name: '127.0.0.1' };
/** What a batch of the backlog needs many times a request's time for. */
const BYTES_PER_SECOND = 100_000;
const BACKLOG_ROWS = 200;
const BACKLOG_BYTES = 8_000;
const BACKLOG_KEYS = 20;
/** Of one thread's time. */
const REQUEST_PERCENTAGE = 1;
const CONNECTIONS_PER_SECOND = 2;
const QUOTA_KILLS = 2;
/** Rows are slow, and come all the same, those of a backlog before those of now. */
const SLOW_MS_MAX = 90_000;
/** What closes the connection, though the topic would take it. */
const HUGE_BYTES = 3_000_000;

interface Limit {
  readonly entity: QuotaEntity;
  readonly quota: string;
  readonly value: number;
  readonly what: string;
}

async function limited(scene: Scene, limit: Limit, harm?: () => Promise<unknown>): Promise<Omit<Injection, 'kills'>> {
  const { entity, quota, value, what } = limit;
  await setQuota(scene.servers, entity, quota, value);
  const lift = () => setQuota(scene.servers, entity, quota, null);
  const plan: FlowPlan = { what, firstMsMax: SLOW_MS_MAX, onwardMsMax: SLOW_MS_MAX };
  const flowedMs = await flowWhile(scene, plan, lift, harm);
  return { detail: `${quota} ${value}; ${flowed(flowedMs)}`, flowedMs };
}

async function killSenders(scene: Scene, count: number): Promise<void> {
  await Promise.all(
    scene.chance
      .shuffle(scene.senders())
      .slice(0, count)
      .map((sender) => sender.kill()),
  );
}

/** More than the quota lets through in some seconds, in front of what the load commits. */
async function insertBacklog(scene: Scene): Promise<void> {
  const keys = Array.from({ length: BACKLOG_KEYS }, () => freshKey('backlog'));
  const note = 'L'.repeat(BACKLOG_BYTES);
  await insertRows(
    scene,
    Array.from({ length: BACKLOG_ROWS }, (_, index) => ({
      ...{ key: keys[index % BACKLOG_KEYS] as string, sequence: Math.floor(index / BACKLOG_KEYS) + 1, note },
    })),
  );
}

const common = { targets: ALL_TARGETS } as const;

export const QUOTA_FAULTS: readonly Fault[] = [
  {
    ...common,
    name: 'quota-bytes',
    what: `A quota of ${BYTES_PER_SECOND} bytes a second for what the processes send, and ${BACKLOG_ROWS} rows of ${BACKLOG_BYTES} bytes at once.`,
    expected: 'Rows flow as fast as the quota lets them, in their order; no batch is sent again and again.',
    inject: (scene) =>
      limited(
        scene,
        { entity: CLIENT, quota: 'producer_byte_rate', value: BYTES_PER_SECOND, what: 'rows under a byte quota' },
        () => insertBacklog(scene),
      ),
  },
  {
    ...common,
    name: 'quota-requests',
    what: `A quota of ${REQUEST_PERCENTAGE} % of a thread for the requests of all processes.`,
    expected: 'Rows flow, slowly.',
    inject: (scene) =>
      limited(scene, {
        ...{ entity: CLIENT, quota: 'request_percentage', value: REQUEST_PERCENTAGE },
        what: 'rows under a request quota',
      }),
  },
  {
    ...common,
    name: 'quota-connections',
    what: `A quota of ${CONNECTIONS_PER_SECOND} new connections a second for the whole machine, and ${QUOTA_KILLS} senders are killed.`,
    expected: 'Who comes back waits for its connections; rows flow.',
    startMayFail: true,
    inject: async (scene) => {
      const quota = { entity: LOOPBACK, quota: 'connection_creation_rate', value: CONNECTIONS_PER_SECOND };
      const done = await limited(scene, { ...quota, what: 'rows of senders that came back' }, () =>
        killSenders(scene, QUOTA_KILLS),
      );
      return { ...done, kills: QUOTA_KILLS };
    },
  },
  {
    ...common,
    name: 'request-too-large',
    what: `A row of ${HUGE_BYTES} bytes, which its topic would take, and for which the broker closes the connection.`,
    expected:
      'It is found, and is a dead letter after its retries; the rows before and after it arrive, and all others flow.',
    stage: 'short-requests',
    inject: async (scene) => {
      const given = giveUpRow(scene, 'huge', { note: 'L'.repeat(HUGE_BYTES) });
      // Seen where it is awaited.
      given.catch(() => undefined);
      const flowedMs = await flowWhile(scene, { what: 'rows beside a huge one' }, () => given);
      return { detail: flowed(flowedMs), flowedMs };
    },
  },
];
