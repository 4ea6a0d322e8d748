/** All faults that are injected one after another under load. */
import type { Fault } from '../fault.ts';
import { CRASH_FAULTS } from './crash-faults.ts';
import { DATABASE_FAULTS } from './database-faults.ts';
import { NETWORK_FAULTS } from './network-faults.ts';
import { PROCESS_FAULTS } from './process-faults.ts';
import { SERVER_FAULTS } from './server-faults.ts';
import { SOURCE_FAULTS } from './source-faults.ts';

export const FAULTS: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...CRASH_FAULTS,
  ...SERVER_FAULTS,
  ...NETWORK_FAULTS,
  ...DATABASE_FAULTS,
  ...SOURCE_FAULTS,
];
