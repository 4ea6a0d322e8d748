/** Connections cut, slowed down and swallowed by the proxies between a process and a server, and replies lost at the worst moment. */
import { systemClock } from '#runtime';
import type { FaultProxy, RequestMatch } from '#testkit';
import { type Fault, type Injection, SHUTDOWN_MS, type Target } from '../fault.ts';
import type { Scene } from '../scene.ts';
import type { Slot, SlotProxies } from '../slot.ts';

type ServerName = keyof SlotProxies;

const TRAP_DEADLINE_MS = 120_000;
const EXIT_SLACK_MS = 5_000;
/** Above every deadline of a single call of the relay, below what a human calls an outage. */
const HOLE_MS = [3_000, 14_000] as const;
const SERVER_NAMES: readonly ServerName[] = ['database', 'redis', 'kafka'];
const TITLES: Record<ServerName, string> = { database: 'MariaDB', redis: 'Redis', kafka: 'Kafka' };

/** One process alone, all of a kind, or everybody. */
function victims(scene: Scene, server: ServerName): readonly Slot[] {
  const { chance } = scene;
  const able = server === 'kafka' ? scene.senders() : scene.slots;
  if (chance.happens(0.6)) return [chance.pick(able)];
  if (server === 'kafka' || chance.happens(0.4)) return able;
  return chance.happens(0.5) ? scene.writers() : scene.senders();
}

const named = (slots: readonly Slot[]): string => slots.map(({ name }) => name).join(' ');

function between(
  server: ServerName,
  act: (proxy: FaultProxy, scene: Scene) => string,
  [min, max]: readonly [number, number],
): Fault['inject'] {
  return async (scene) => {
    const slots = victims(scene, server);
    const proxies = slots.map((slot) => slot.proxies[server]);
    const acts = proxies.map((proxy) => act(proxy, scene));
    const holdMs = scene.chance.integer(min, max);
    return {
      detail: `${named(slots)}${acts[0]} for ${(holdMs / 1_000).toFixed(1)} s`,
      holdMs,
      heal: async () => {
        for (const proxy of proxies) proxy.pass();
      },
    };
  };
}

function serverFaults(server: ServerName): Fault[] {
  const title = TITLES[server];
  const targets: readonly Target[] = [server];
  const common = { targets, startMayFail: true } as const;
  return [
    {
      ...common,
      name: `cut-${server}`,
      what: `Connections to ${title} break and cannot be made for some seconds, for one process or several.`,
      expected: 'Whoever is cut off waits; others take over what it held.',
      inject: between(
        server,
        (proxy) => {
          proxy.cut();
          return '';
        },
        [200, 9_000],
      ),
    },
    {
      ...common,
      name: `black-hole-${server}`,
      what: `Connections to ${title} stay open, nothing comes through for some seconds; then everything held back arrives late.`,
      expected: 'Deadlines end every wait; what arrives late is fenced.',
      weight: 2,
      inject: between(
        server,
        (proxy) => {
          proxy.blackHole();
          return '';
        },
        HOLE_MS,
      ),
    },
    {
      ...common,
      name: `slow-${server}`,
      what: `Every byte to and from ${title} comes 200 ms later, for some seconds.`,
      expected: 'Slower, and nothing else.',
      inject: between(
        server,
        (proxy) => {
          proxy.delay(200);
          return '';
        },
        [4_000, 10_000],
      ),
    },
    {
      ...common,
      name: `flapping-${server}`,
      what: `Connections to ${title} break ten times within some seconds.`,
      expected: 'Each reconnects; outcomes left unknown are settled.',
      inject: async (scene) => {
        const slots = victims(scene, server);
        for (let time = 0; time < 10; time += 1) {
          for (const slot of slots) slot.proxies[server].cut();
          await systemClock.sleep(scene.chance.integer(10, 150));
          for (const slot of slots) slot.proxies[server].pass();
          await systemClock.sleep(scene.chance.integer(50, 900));
        }
        return { detail: named(slots) };
      },
    },
  ];
}

interface LostReply {
  readonly name: string;
  readonly what: string;
  readonly server: ServerName;
  readonly match: RequestMatch;
  /** The request comes only when a sender begins or takes lanes over: one of them is killed to make it come. */
  readonly onStart?: boolean;
}

/** A statement's packet begins with a 3: READ COMMITTED is no COMMIT. */
const LOST_REPLIES: readonly LostReply[] = [
  { name: 'commit-to-database', what: "the writer's COMMIT", server: 'database', match: { text: '\u0003COMMIT' } },
  // Taking and renewing the leader's lock are scripts; nothing else that a writer asks Redis is.
  {
    name: 'lock-in-redis',
    what: "the script that renews the leader's lock",
    server: 'redis',
    match: { text: 'evalsha' },
  },
  { name: 'produce', what: 'Produce', server: 'kafka', match: { apiKey: 0 } },
  { name: 'add-partitions-to-txn', what: 'AddPartitionsToTxn', server: 'kafka', match: { apiKey: 24 } },
  { name: 'add-offsets-to-txn', what: 'AddOffsetsToTxn', server: 'kafka', match: { apiKey: 25 } },
  { name: 'txn-offset-commit', what: 'TxnOffsetCommit', server: 'kafka', match: { apiKey: 28 } },
  { name: 'end-txn', what: 'EndTxn', server: 'kafka', match: { apiKey: 26 } },
  { name: 'init-producer-id', what: 'InitProducerId', server: 'kafka', match: { apiKey: 22 }, onStart: true },
  { name: 'offset-fetch', what: 'OffsetFetch', server: 'kafka', match: { apiKey: 9 }, onStart: true },
];

/** The first of the proxies whose trap is sprung; the other traps are taken away. */
async function trapOne(
  proxies: readonly FaultProxy[],
  set: (proxy: FaultProxy) => Promise<void>,
  what: string,
): Promise<void> {
  const late = new AbortController();
  const gaveUp = systemClock.sleep(TRAP_DEADLINE_MS, late.signal).then(() => 'late' as const);
  const first = await Promise.race([...proxies.map((proxy) => set(proxy).then(() => 'sprung' as const)), gaveUp]);
  late.abort();
  for (const proxy of proxies) proxy.pass();
  if (first === 'late') throw new Error(`no ${what} request came by within ${TRAP_DEADLINE_MS} ms`);
}

async function loseReply(scene: Scene, lost: LostReply, delayMs: number | null): Promise<Injection> {
  const { server, match, what } = lost;
  const slots = server === 'kafka' ? scene.senders() : scene.writers();
  const proxies = slots.map((slot) => slot.proxies[server]);
  const set = (proxy: FaultProxy) =>
    delayMs === null ? proxy.cutBeforeReply(match) : proxy.delayReply(match, delayMs);
  const times = lost.onStart ? 1 : scene.chance.integer(2, 6);
  let kills = 0;
  for (let time = 0; time < times; time += 1) {
    const trapped = trapOne(proxies, set, what);
    if (lost.onStart) {
      kills += 1;
      await scene.chance.pick(slots).kill();
    }
    await trapped;
    await systemClock.sleep(scene.chance.integer(0, 700));
  }
  return { detail: `${times} times`, kills };
}

const KNOWN_BY: Record<ServerName, string> = {
  kafka: 'The outcome is unknown; the marker tells.',
  database: 'The watermark row tells the outcome.',
  redis: 'The lock knows its holder by its value: the leader goes on.',
};

const lostFaults = (lost: LostReply): Fault[] => [
  {
    name: `lost-reply-${lost.name}`,
    what: `${lost.what} reaches ${TITLES[lost.server]}; the connection breaks before its reply, several times.`,
    expected: KNOWN_BY[lost.server],
    targets: [lost.server === 'kafka' ? 'senders' : 'writers', lost.server],
    weight: 2,
    inject: (scene) => loseReply(scene, lost, null),
  },
];

const LATE_REPLY: Fault = {
  name: 'late-reply-end-txn',
  what: 'The reply to EndTxn comes 12 s late: past the request timeout, into the life of the next session.',
  expected: 'The session that waited for it is thrown away; the marker tells.',
  targets: ['senders', 'kafka'],
  inject: (scene) =>
    loseReply(scene, { name: 'end-txn', what: 'EndTxn', server: 'kafka', match: { apiKey: 26 } }, 12_000),
};

const STOP_IN_THE_DARK: Fault = {
  name: 'terminate-in-black-hole',
  what: 'SIGTERM of a process with every server of its black-holed.',
  expected: 'It ends within its shutdown timeout; others take over when lock and leases have run out.',
  targets: ['writers', 'senders', 'database', 'redis', 'kafka'],
  weight: 2,
  inject: async (scene) => {
    const slot = scene.chance.pick(scene.slots);
    const proxies = SERVER_NAMES.map((server) => slot.proxies[server]);
    for (const proxy of proxies) proxy.blackHole();
    await systemClock.sleep(scene.chance.integer(0, 2_000));
    const { code, tookMs } = await slot.terminate(SHUTDOWN_MS + EXIT_SLACK_MS);
    for (const proxy of proxies) proxy.pass();
    if (code === null) throw new Error(`${slot.name} did not end in ${Math.round(tookMs)} ms:\n${slot.output()}`);
    return { detail: `${slot.name} ended with ${code} after ${(tookMs / 1_000).toFixed(1)} s` };
  },
};

export const NETWORK_FAULTS: readonly Fault[] = [
  ...SERVER_NAMES.flatMap(serverFaults),
  ...LOST_REPLIES.flatMap(lostFaults),
  LATE_REPLY,
  STOP_IN_THE_DARK,
];
