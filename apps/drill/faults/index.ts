/** All faults that are injected one after another under load. */
import type { Fault } from '../fault.ts';
import { BROKER_FAULTS } from './broker-faults.ts';
import { CLOCK_FAULTS } from './clock-faults.ts';
import { CODEC_FAULTS } from './codec-faults.ts';
import { CRASH_FAULTS } from './crash-faults.ts';
import { DATABASE_FAULTS } from './database-faults.ts';
import { DISK_FAULTS } from './disk-faults.ts';
import { KAFKA_FAULTS } from './kafka-faults.ts';
import { LOGIN_FAULTS } from './login-faults.ts';
import { MARKER_FAULTS } from './marker-faults.ts';
import { NETWORK_FAULTS } from './network-faults.ts';
import { ONE_TOPIC_FAULTS } from './one-topic-faults.ts';
import { PROCESS_FAULTS } from './process-faults.ts';
import { QUOTA_FAULTS } from './quota-faults.ts';
import { REFUSAL_FAULTS } from './refusal-faults.ts';
import { SERVER_FAULTS } from './server-faults.ts';
import { SESSION_FAULTS } from './session-faults.ts';
import { SOURCE_FAULTS } from './source-faults.ts';
import { TABLE_LOCK_FAULTS } from './table-lock-faults.ts';
import { WITHOUT_REDIS_FAULTS } from './without-redis-faults.ts';

export const FAULTS: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...CRASH_FAULTS,
  ...SERVER_FAULTS,
  ...NETWORK_FAULTS,
  ...DATABASE_FAULTS,
  ...SOURCE_FAULTS,
  ...KAFKA_FAULTS,
  ...MARKER_FAULTS,
  ...BROKER_FAULTS,
  ...DISK_FAULTS,
  ...CLOCK_FAULTS,
  ...LOGIN_FAULTS,
  ...ONE_TOPIC_FAULTS,
  ...QUOTA_FAULTS,
  ...CODEC_FAULTS,
  ...REFUSAL_FAULTS,
  ...SESSION_FAULTS,
  ...TABLE_LOCK_FAULTS,
  ...WITHOUT_REDIS_FAULTS,
];

/** Every fault when no names are given. */
export const namedFaults = (names: readonly string[]): readonly Fault[] =>
  names.length === 0 ? FAULTS : FAULTS.filter(({ name }) => names.includes(name));
