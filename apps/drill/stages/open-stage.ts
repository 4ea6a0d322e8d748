/** Opens a stage beside the servers that run all the time. */
import { startKafka } from '#testkit';
import type { DrillServers } from '../servers.ts';
import { openClockStage } from './clock-stage.ts';
import { openDiskStage } from './disk-stage.ts';
import { openLoginStage } from './login-stage.ts';
import type { Stage, StageName } from './stage.ts';

const BROKERS = 3;
const FAULTS_MAX = 12;
const CROWD = { writers: 3, senders: 9, settings: { LANES: '12' } } as const;
const CROWD_FAULTS_MAX = 4;

async function openBrokers(main: DrillServers, faultsMax: number): Promise<Stage> {
  const kafka = await startKafka({ nodes: BROKERS });
  return {
    servers: { ...main, kafka, stop: () => kafka.stop() },
    // A proxy stands for one broker only.
    scene: { kafkaDirect: true },
    faultsMax,
    close: () => kafka.stop(),
  };
}

async function withKafka(
  main: DrillServers,
  properties: Readonly<Record<string, number>>,
  faultsMax: number,
): Promise<Stage> {
  const kafka = await startKafka({ properties });
  return { servers: { ...main, kafka, stop: () => kafka.stop() }, faultsMax, close: () => kafka.stop() };
}

const SHORT_MEMORY = { 'offsets.retention.minutes': 1, 'offsets.retention.check.interval.ms': 3_000 } as const;
/** The topics would take far more: it is the request that is refused, by the end of its connection. */
const SHORT_REQUESTS = { 'socket.request.max.bytes': 2_000_000, 'message.max.bytes': 20_000_000 } as const;
/** A refused row is tried again for as long as a fault lasts, and longer. */
const PATIENT = { KAFKA_MAX_RETRIES: '100000' } as const;

export async function openStage(name: StageName, main: DrillServers, roundFaults: number): Promise<Stage> {
  const ofMain = (faultsMax: number): Stage => ({ servers: main, faultsMax, close: async () => undefined });
  const few = Math.min(FAULTS_MAX, roundFaults);
  const openers: Record<StageName, () => Promise<Stage>> = {
    plain: async () => ofMain(roundFaults),
    alone: async () => ofMain(1),
    crowd: async () => ({ ...ofMain(CROWD_FAULTS_MAX), scene: CROWD }),
    brokers: () => openBrokers(main, few),
    'full-disk': () => openDiskStage(few),
    'short-memory': () => withKafka(main, SHORT_MEMORY, 1),
    'short-requests': () => withKafka(main, SHORT_REQUESTS, few),
    patient: async () => ({ ...ofMain(roundFaults), scene: { settings: PATIENT } }),
    clock: () => openClockStage(main, few),
    login: () => openLoginStage(main, few),
  };
  return openers[name]();
}
