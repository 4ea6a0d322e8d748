/** Nobody but our transactions may write the offsets of the marker groups. */
import { RelayError } from '#runtime';
import { broken, fine, type Judgement, kafkaCheck, unknown } from './finding.ts';
import { aclCommand } from './kafka-tools.ts';

const OURS: ReadonlySet<string> = new Set(['Empty', 'Dead']);

export const markerGroups = kafkaCheck(
  'marker-groups',
  'the marker groups: no members, and the right to read them',
  ({ groups }, { config }) =>
    groups.map((group): Judgement => {
      if (group instanceof RelayError) {
        const mend = aclCommand(
          config,
          '--operation Read',
          `--group ${config.kafka.markerGroup} --resource-pattern-type prefixed`,
        );
        return group.code === 'KAFKA_REFUSED' ? broken('', group.message, mend) : unknown('', group.message);
      }
      const about = `group ${group.group}`;
      if (group.mayRead === false) {
        return broken(
          about,
          'may not be read: no marker can be written',
          aclCommand(config, '--operation Read', `--group ${group.group}`),
        );
      }
      if (group.members === 0 && OURS.has(group.state))
        return fine(about, group.state === 'Dead' ? 'not used yet' : 'no members');
      const says = `${group.members} consumers have joined it (${group.state}): what they commit overwrites markers`;
      return broken(about, says, 'stop them and give them a group of their own; then see relay.markers');
    }),
);
