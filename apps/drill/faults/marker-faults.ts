/** Kafka loses the markers: then nobody knows what was delivered, and nothing may be until the operator has decided. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#runtime';
import { until } from '#testkit';
import type { Fault, Injection } from '../fault.ts';
import { asAdmin, deleteGroup, deleteTopic } from '../kafka-admin.ts';
import type { Scene } from '../scene.ts';

const EMPTY_DEADLINE_MS = 180_000;
const HALT_DEADLINE_MS = 180_000;
const TOLD_DEADLINE_MS = 10_000;
/** Longer than it takes to begin delivering. */
const QUIET_MS = 5_000;
/** The stage's brokers forget after a minute, and look every few seconds. */
const FORGET_DEADLINE_MS = 180_000;

const groupOf = (scene: Scene): string => `${scene.deployment.name}.kafka_row_sender_outbox`;
const markerTopicOf = (scene: Scene): string => `${scene.deployment.name}.markers`;

/** Nothing is under way: what is in the topic and what the database says are the same, and the operator can know. */
async function comeToRest(scene: Scene): Promise<{ readonly release: () => void; readonly kills: number }> {
  const writers = scene.writers();
  const senders = scene.senders();
  const open = writers.map((writer) => writer.vacate());
  await Promise.all(writers.map((writer) => writer.kill()));
  await until('an empty outbox', () => scene.outboxRows().then((rows) => rows === 0), EMPTY_DEADLINE_MS);
  open.push(...senders.map((sender) => sender.vacate()));
  await Promise.all(senders.map((sender) => sender.kill()));
  return { release: () => open.forEach((start) => void start()), kills: writers.length + senders.length };
}

async function everyLaneHalted(scene: Scene): Promise<boolean> {
  const [row] = await scene.ask<{ others: number }>(
    "SELECT COUNT(*) AS others FROM kafka_row_sender_lane WHERE state <> 'halted'",
  );
  return Number(row?.others) === 0;
}

/** What an operator finds in the log: the lane's number, that its marker is the reason, and the command that lets it go on. */
function isToldOf(lane: number, log: string): boolean {
  return log
    .split('\n')
    .some(
      (line) =>
        line.includes(`"event":"lane-halted","lane":${lane},`) &&
        /"why":"[^"]*marker/.test(line) &&
        /lane resume/.test(line),
    );
}

async function everyHaltTold(scene: Scene): Promise<boolean> {
  const log = readdirSync(scene.logs)
    .map((file) => readFileSync(join(scene.logs, file), 'utf8'))
    .join('\n');
  const lanes = await scene.ask<{ lane: number }>("SELECT lane FROM kafka_row_sender_lane WHERE state = 'halted'");
  return lanes.every(({ lane }) => isToldOf(lane, log));
}

async function operate(scene: Scene, ...command: string[]): Promise<void> {
  const { code, output } = await scene.deployment.cli(...command);
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}: ${output}`);
}

async function loseMarkers(scene: Scene, lose: () => Promise<unknown>): Promise<Injection> {
  const { release, kills } = await comeToRest(scene);
  const { arrived } = scene.tally.figures;
  try {
    await lose();
  } finally {
    release();
  }
  await systemClock.sleep(QUIET_MS);
  // Senders without a marker topic wait for it; only with one is there a marker to miss.
  await operate(scene, 'init');
  await until('every lane halted', () => everyLaneHalted(scene), HALT_DEADLINE_MS);
  await until('a log line for every lane that is halted', () => everyHaltTold(scene), TOLD_DEADLINE_MS);
  const more = scene.tally.figures.arrived - arrived;
  if (more > 0) throw new Error(`${more} rows were delivered before the operator had decided`);
  await operate(scene, 'lane', 'resume', 'all', '--from', 'delivered');
  return { detail: 'every lane halted, and resumed by the operator', kills };
}

async function forgotten(scene: Scene): Promise<boolean> {
  const offsets = await asAdmin(scene.servers, (admin) =>
    admin.fetchOffsets({ groupId: groupOf(scene), topics: [markerTopicOf(scene)] }),
  );
  return offsets.every(({ partitions }) => partitions.every(({ offset }) => offset === '-1'));
}

const common = {
  expected:
    'Every lane halts, says so with the command that lets it go on, and delivers nothing; `init` and `lane resume all --from delivered` let them go on.',
  targets: ['kafka', 'writers', 'senders'],
} as const;

export const MARKER_FAULTS: readonly Fault[] = [
  {
    ...common,
    name: 'marker-topic-deleted',
    what: 'The marker topic is deleted, and with it every marker, while nothing is under way; then rows come.',
    stage: 'alone',
    startMayFail: true,
    inject: (scene) => loseMarkers(scene, () => deleteTopic(scene.servers, markerTopicOf(scene))),
  },
  {
    ...common,
    name: 'marker-group-deleted',
    what: 'The group of the markers is deleted while nothing is under way; then rows come.',
    stage: 'alone',
    inject: (scene) => loseMarkers(scene, () => deleteGroup(scene.servers, groupOf(scene))),
  },
  {
    ...common,
    name: 'marker-expired',
    what: 'All processes are away for longer than the broker keeps offsets (a minute here); then they come back.',
    stage: 'short-memory',
    inject: (scene) => loseMarkers(scene, () => until('expired markers', () => forgotten(scene), FORGET_DEADLINE_MS)),
  },
];
