/** Kafka slows its clients down: fewer bytes, less of its time, fewer connections. And requests it does not read to their end. */
import { ALL_TARGETS, type Fault, type Injection } from '../fault.ts';
import { type FlowPlan, flowed, flowWhile } from '../flow.ts';
import { type QuotaEntity, setQuota } from '../kafka-config.ts';
import { giveUpRow } from '../own-rows.ts';
import type { Scene } from '../scene.ts';

/** The processes' own name for themselves, unless a setting gives another. */
const CLIENT: QuotaEntity = { type: 'client-id', name: 'kafka-row-sender' };
const LOOPBACK: QuotaEntity = { type: 'ip', name: '127.0.0.1' };
/** Less than the load makes at its usual rate, and every batch of a backlog. */
const BYTES_PER_SECOND = 15_000;
/** Of one thread's time. */
const REQUEST_PERCENTAGE = 1;
const CONNECTIONS_PER_SECOND = 2;
/** Rows are slow, and come all the same, those of a backlog before those of now. */
const SLOW_MS_MAX = 90_000;
/** What closes the connection, though the topic would take it. */
const HUGE_BYTES = 3_000_000;

async function limited(
  scene: Scene,
  entity: QuotaEntity,
  [quota, value]: readonly [string, number],
  plan: FlowPlan,
  kills = 0,
): Promise<Injection> {
  await setQuota(scene.servers, entity, quota, value);
  const lift = () => setQuota(scene.servers, entity, quota, null);
  const flowedMs = await flowWhile(scene, plan, lift, async () => {
    await Promise.all(
      scene.chance
        .shuffle(scene.senders())
        .slice(0, kills)
        .map((sender) => sender.kill()),
    );
  });
  return { detail: `${quota} ${value}; ${flowed(flowedMs)}`, kills, flowedMs };
}

const slow = (what: string): FlowPlan => ({ what, firstMsMax: SLOW_MS_MAX, onwardMsMax: SLOW_MS_MAX });
const common = { targets: ALL_TARGETS } as const;

export const QUOTA_FAULTS: readonly Fault[] = [
  {
    ...common,
    name: 'quota-bytes',
    what: `A quota of ${BYTES_PER_SECOND} bytes a second for what the processes send, below what the application commits.`,
    expected: 'Rows flow as fast as the quota lets them, in their order; no batch is sent again and again.',
    inject: (scene) =>
      limited(scene, CLIENT, ['producer_byte_rate', BYTES_PER_SECOND], slow('rows under a byte quota')),
  },
  {
    ...common,
    name: 'quota-requests',
    what: `A quota of ${REQUEST_PERCENTAGE} % of a thread for the requests of all processes.`,
    expected: 'Rows flow, slowly.',
    inject: (scene) =>
      limited(scene, CLIENT, ['request_percentage', REQUEST_PERCENTAGE], slow('rows under a request quota')),
  },
  {
    ...common,
    name: 'quota-connections',
    what: `A quota of ${CONNECTIONS_PER_SECOND} new connections a second for the whole machine, and two senders are killed.`,
    expected: 'Who comes back waits for its connections; rows flow.',
    startMayFail: true,
    inject: (scene) =>
      limited(
        scene,
        LOOPBACK,
        ['connection_creation_rate', CONNECTIONS_PER_SECOND],
        slow('rows of senders that came back'),
        2,
      ),
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
