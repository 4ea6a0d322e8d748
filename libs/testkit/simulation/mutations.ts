/**
 * Ways to get the protocol wrong, each done to the ports of the simulated processes; production code stays as it is. The
 * simulation must find every one of them, or it proves nothing about the protocol as written.
 */
import type { Mutation } from './mutation.ts';
import { ASIDE_MUTATIONS } from './mutations-aside.ts';
import { SENDER_MUTATIONS } from './mutations-sender.ts';
import { TARGET_MUTATIONS } from './mutations-targets.ts';
import { TORN_MUTATIONS } from './mutations-torn.ts';
import { WRITER_MUTATIONS } from './mutations-writer.ts';

export const MUTATIONS: readonly Mutation[] = [
  ...WRITER_MUTATIONS,
  ...SENDER_MUTATIONS,
  ...TORN_MUTATIONS,
  ...ASIDE_MUTATIONS,
  ...TARGET_MUTATIONS,
];
