/** Brokers that do not answer or are too old, and what the cluster has agreed on. */
import { broken, fine, type Judgement, kafkaCheck, risky } from './finding.ts';

/** Level of `metadata.version` to the release that brought it (org.apache.kafka.server.common.MetadataVersion). */
const RELEASES: readonly (readonly [number, string])[] = [
  [26, '4.1 or newer'],
  [22, '4.0'],
  [21, '3.9'],
  [20, '3.8'],
  [15, '3.7'],
  [12, '3.6'],
  [9, '3.5'],
  [8, '3.4'],
  [1, '3.0 to 3.3'],
];

export const brokers = kafkaCheck(
  'brokers',
  'every broker answers and speaks the requests needed (Kafka 2.5 or newer)',
  ({ cluster }) => {
    const judgements = cluster.brokers.flatMap(({ nodeId, address, fault, missingApi }): Judgement[] => {
      const about = `broker ${nodeId} at ${address}`;
      if (fault !== null)
        return [
          risky(
            about,
            `does not answer: ${fault.message}`,
            'start it, or make its advertised listener reachable from here',
          ),
        ];
      if (missingApi === null) return [];
      return [broken(about, `does not speak ${missingApi}`, 'bring it to Kafka 2.5 or newer')];
    });
    if (judgements.length > 0) return judgements;
    const level = cluster.features.get('metadata.version');
    const release = RELEASES.find(([least]) => level !== undefined && level >= least)?.[1];
    const count = cluster.brokers.length;
    return [fine('', `${count} broker${count === 1 ? '' : 's'}${release === undefined ? '' : `, Kafka ${release}`}`)];
  },
);
