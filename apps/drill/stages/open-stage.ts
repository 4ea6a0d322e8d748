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

async function openBrokers(main: DrillServers): Promise<Stage> {
  const kafka = await startKafka({ nodes: BROKERS });
  return {
    servers: { ...main, kafka, stop: () => kafka.stop() },
    // A proxy stands for one broker only.
    scene: { kafkaDirect: true },
    faultsMax: FAULTS_MAX,
    close: () => kafka.stop(),
  };
}

async function openShortMemory(main: DrillServers): Promise<Stage> {
  const properties = { 'offsets.retention.minutes': 1, 'offsets.retention.check.interval.ms': 3_000 };
  const kafka = await startKafka({ properties });
  return { servers: { ...main, kafka, stop: () => kafka.stop() }, faultsMax: 1, close: () => kafka.stop() };
}

export async function openStage(name: StageName, main: DrillServers, roundFaults: number): Promise<Stage> {
  const ofMain = (faultsMax: number): Stage => ({ servers: main, faultsMax, close: async () => undefined });
  const openers: Record<StageName, () => Promise<Stage>> = {
    plain: async () => ofMain(roundFaults),
    alone: async () => ofMain(1),
    crowd: async () => ({ ...ofMain(CROWD_FAULTS_MAX), scene: CROWD }),
    brokers: () => openBrokers(main),
    'full-disk': () => openDiskStage(FAULTS_MAX),
    'short-memory': () => openShortMemory(main),
    clock: () => openClockStage(main, FAULTS_MAX),
    login: () => openLoginStage(main, FAULTS_MAX),
  };
  return openers[name]();
}
