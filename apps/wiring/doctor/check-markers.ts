/** Each lane's marker in Kafka against its row in the database: missing, behind, or ahead of what was ever handed out. */
import { ENV_PREFIX } from '#config';
import { whatDisagrees } from '../judge-marker.ts';
import { broken, fine, type Judgement, relayCheck, risky, unknown } from './finding.ts';

export const markers = relayCheck(
  'markers',
  'marker of each lane in Kafka against delivered id and next sequence',
  (relay, { kafka, config }) => {
    if (kafka === null || config.deliveryMode !== 'exactly-once') return [];
    const { lanes } = relay.status;
    const found = kafka.markers;
    if (found === null)
      return lanes.length === 0 ? [] : [unknown('', 'the markers could not be read: see kafka.marker-topic')];
    const judgements = lanes.flatMap((lane): Judgement[] => {
      const marker = found.get(lane.lane);
      const next = relay.watermarks.find(({ source }) => source === lane.source)?.nextSequence;
      if (marker === undefined || next === undefined) return [];
      const after = relay.lanesAfter.find((each) => each.lane === lane.lane);
      // Its first marker came between our two looks.
      if (lane.deliveredId === null && after?.deliveredId !== null) return [];
      const why = whatDisagrees({ lane, marker, nextSequence: next });
      if (why === null) return [];
      const mend =
        next === 1
          ? `take another ${ENV_PREFIX}KAFKA_TRANSACTIONAL_ID_PREFIX and run init; lane resume would spoil the other deployment's markers`
          : `kafka-row-sender lane resume ${lane.lane} --from delivered (or marker): lane resume --help says what each costs`;
      return [broken(`lane ${lane.lane}`, why, mend)];
    });
    const ours = new Set(relay.lanesAfter.map(({ lane }) => lane));
    const foreign = [...found].filter(([lane, marker]) => marker !== -1 && !ours.has(lane)).map(([lane]) => lane);
    if (foreign.length > 0) {
      judgements.push(
        risky(
          `lanes ${foreign.join(', ')}`,
          'Kafka has markers for lanes that this database does not have: tables made anew, or another deployment with this prefix',
          'give each deployment its own KAFKA_TRANSACTIONAL_ID_PREFIX; for tables made anew, take a new one before the first row',
        ),
      );
    }
    return judgements.length > 0 ? judgements : [fine('', `${lanes.length} lanes agree with Kafka`)];
  },
);
