/**
 * Kafka's password for the processes changed while they run: their sessions are cut, or end when they must log in anew; and
 * the password is changed back, or the file that holds it is, and the processes are started again.
 */
import { systemClock } from '#runtime';
import { until } from '#testkit';
import type { Fault, Injection } from '../fault.ts';
import type { Scene } from '../scene.ts';
import { SECRETS } from '../servers.ts';
import type { Slot } from '../slot.ts';
import type { KafkaLogin } from '../stages/kafka-login.ts';
import { rollingRestart } from './process-faults.ts';

const OTHER_PASSWORD = `${SECRETS.kafka}-nobody-told`;
/** Far past the end that the broker of this stage sets to sessions: a machine busy with other things is only slow. */
const SAID_DEADLINE_MS = 120_000;
const READY_DEADLINE_MS = 120_000;
/** Of the backoff of every scene: the waits that are shorter than a second, and then one a second at most. */
const QUICK_TRIES = 5;
const HOLD_MS = [3_000, 9_000] as const;

function loginOf({ servers }: Scene): KafkaLogin {
  if (servers.kafkaLogin === undefined) throw new Error('the broker of this stage asks nobody for a login');
  return servers.kafkaLogin;
}

function cutSessions(scene: Scene): void {
  for (const { proxies } of scene.slots) {
    proxies.kafka.cut();
    proxies.kafka.pass();
  }
}

/** Times that the process has said, since then, that Kafka refuses it and when it will try again. */
const refusals = ({ log }: Slot, sinceMs: number): number =>
  log.filter(
    ({ event, code, time, delayMs }) =>
      event === 'sender-retry' && code === 'KAFKA_REFUSED' && Number(time) >= sinceMs && Number(delayMs) > 0,
  ).length;

/** Every sender has found out and says so. */
async function awaitRefusals(scene: Scene, sinceMs: number): Promise<void> {
  await until(
    'every sender to say that Kafka refuses it',
    async () => scene.senders().every((slot) => refusals(slot, sinceMs) > 0),
    SAID_DEADLINE_MS,
  );
}

function assertPatient(scene: Scene, sinceMs: number): void {
  const triesMax = QUICK_TRIES + (systemClock.wallMs() - sinceMs) / 1_000;
  for (const slot of scene.senders()) {
    const tries = refusals(slot, sinceMs);
    if (tries > triesMax) throw new Error(`${slot.name} tried ${tries} times, ${Math.round(triesMax)} at most`);
  }
}

const seconds = (fromMs: number): string => ((systemClock.wallMs() - fromMs) / 1_000).toFixed(1);

/** Resolves when every sender is refused, and says so. */
async function lockOut(scene: Scene, password: string, cut: boolean): Promise<number> {
  const sinceMs = systemClock.wallMs();
  await loginOf(scene).change(password);
  if (cut) cutSessions(scene);
  await awaitRefusals(scene, sinceMs);
  return sinceMs;
}

/** A process that starts meanwhile waits as the others do: it does not end. */
async function changeAndBack(scene: Scene, cut: boolean): Promise<Injection> {
  const login = loginOf(scene);
  const sinceMs = await lockOut(scene, OTHER_PASSWORD, cut);
  const saidAfter = seconds(sinceMs);
  const victim = scene.chance.pick(scene.slots);
  await victim.kill();
  await until(`${victim.name} to be back`, () => victim.ready, READY_DEADLINE_MS);
  return {
    detail: `all senders said so within ${saidAfter} s; ${victim.name} killed meanwhile`,
    kills: 1,
    holdMs: scene.chance.integer(...HOLD_MS),
    heal: async () => {
      try {
        assertPatient(scene, sinceMs);
      } finally {
        await login.change(login.written);
      }
    },
  };
}

/** As an operator rotates a secret: the broker's, some time later the file's, and then every process is started again. */
async function rotate(scene: Scene): Promise<Injection> {
  const password = `${SECRETS.kafka}-${scene.chance.integer(1, 1_000_000)}`;
  const sinceMs = await lockOut(scene, password, true);
  await systemClock.sleep(scene.chance.integer(...HOLD_MS));
  assertPatient(scene, sinceMs);
  loginOf(scene).write(password);
  await rollingRestart(scene);
  return { detail: `${seconds(sinceMs)} s until the last process had the new one` };
}

const common = { targets: ['kafka', 'writers', 'senders'], stage: 'login' } as const;

export const LOGIN_FAULTS: readonly Fault[] = [
  {
    ...common,
    name: 'kafka-password-changed',
    what: "The user's password is changed for some seconds and all its connections are cut; a process is killed meanwhile.",
    expected:
      'Every sender says that it is refused and tries again, at most about once a second, until it is let in; none ends, nor does one that starts meanwhile.',
    inject: (scene) => changeAndBack(scene, true),
  },
  {
    ...common,
    name: 'kafka-session-expired',
    what: "The user's password is changed and its connections stay, until the broker asks each to log in anew; then it is changed back.",
    expected: 'Old sessions deliver until their end; then as after a cut.',
    inject: (scene) => changeAndBack(scene, false),
  },
  {
    ...common,
    name: 'kafka-password-rotated',
    what: "The user's password is changed and all its connections are cut; some seconds later the secret file is, and every process is started again.",
    expected: 'Every process ends with 0, though Kafka refuses it; each that comes back delivers.',
    inject: rotate,
  },
];
