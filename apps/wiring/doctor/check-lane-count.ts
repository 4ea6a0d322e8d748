/** The setting LANES is for a source's registration; afterwards the lanes in the database count. */
import { ENV_PREFIX } from '#config';
import { fine, type Judgement, relayCheck, risky } from './finding.ts';

export const laneCount = relayCheck(
  'lane-count',
  'the setting LANES against the lanes of each source',
  ({ status }, { config }) =>
    config.sources.flatMap(({ name, lanes: wanted }): Judgement[] => {
      const there = status.lanes.filter(({ source }) => source === name).length;
      if (there === 0) return [fine(`source ${name}`, `not registered yet; it will get ${wanted} lanes`)];
      if (there === wanted) return [fine(`source ${name}`, `${there} lanes`)];
      const set = `set ${ENV_PREFIX}LANES=${there}`;
      const mend = wanted > there ? `kafka-row-sender lane grow ${name} ${wanted}, or ${set}` : set;
      return [risky(`source ${name}`, `has ${there} lanes, LANES=${wanted} has no effect`, mend)];
    }),
);
