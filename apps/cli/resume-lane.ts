/**
 * `lane resume`: a halted lane is one whose database and whose marker in Kafka do not agree, and only the operator can know
 * which of them to believe. Nothing is guessed: without `--from` a lane goes on only when the two do agree.
 */
import { type ClosableKafkaPort, createKafkaPort } from '#kafka-delivery';
import { type LaneRow, laneEnd, laneFloor, sequenceOf } from '#outbox';
import { asRelayError, RelayError, silentLogger, systemClock } from '#runtime';
import { type MarkerFacts, whatDisagrees } from '../wiring/judge-marker.ts';
import { kafkaOptions } from '../wiring/open-kafka.ts';
import type { Operator } from '../wiring/operator.ts';
import type { Cli } from './cli.ts';
import { reachKafka, withOperator } from './connect.ts';
import { pickLanes } from './pick-lanes.ts';

export type ResumeFromOption = 'marker' | 'delivered';

export const RESUME_COSTS = `Which to believe when a halted lane's marker in Kafka and the delivered id in the database disagree:
  --from delivered  writes the marker anew, as the delivered id. For a marker that expired, was deleted or lies behind, and
                    for a database restored from a backup. Rows of the lane that Kafka has from after the delivered id
                    are delivered again: at most what was not yet deleted from the outbox, or came after the backup.
  --from marker     takes the marker for the delivered id. For a database whose delivered id is known to be wrong. Rows up
                    to the marker count as delivered and are deleted; rows between a marker that lies behind and the
                    delivered id are gone from the outbox and are not sent again. Run verify afterwards.`;

const FENCE_ATTEMPTS_MAX = 20;
const FENCE_PAUSE_MS = 250;

interface Facts extends MarkerFacts {
  readonly lane: LaneRow;
}

export async function resume(
  cli: Cli,
  numbers: readonly number[] | null,
  from: ResumeFromOption | null,
): Promise<void> {
  const { config } = cli.load({ needs: ['database'] });
  await withOperator(config, async (operator) => {
    await operator.checkSchema();
    const lanes = await operator.listLanes();
    for (const lane of pickLanes(lanes, numbers)) await resumeOne(cli, operator, lane, from);
  });
}

async function resumeOne(cli: Cli, operator: Operator, found: LaneRow, from: ResumeFromOption | null): Promise<void> {
  if (found.state === 'running' && from === null) {
    cli.print(`lane ${found.lane} is running already`);
    return;
  }
  const lane = found.state === 'running' ? await stopFirst(operator, found.lane) : found;
  const markersMatter =
    operator.kafkaConfig.deliveryMode === 'exactly-once' && (lane.state === 'halted' || from !== null);
  if (markersMatter) await settleMarker(cli, operator, lane, from);
  else await operator.resumeLane(lane.lane);
  cli.print(`lane ${lane.lane} is running: a sender takes it within moments`);
}

/** A lane whose marker is decided on must stand still meanwhile: nobody claims it, and its holder is fenced by what follows. */
async function stopFirst(operator: Operator, lane: number): Promise<LaneRow> {
  await operator.pauseLane(lane, 'its marker is being decided on');
  const lanes = await operator.listLanes();
  const stopped = lanes.find((each) => each.lane === lane);
  if (stopped?.state !== 'paused') throw new RelayError('DB_TRANSIENT', `lane ${lane} changed meanwhile: try again`);
  return stopped;
}

async function settleMarker(cli: Cli, operator: Operator, lane: LaneRow, from: ResumeFromOption | null): Promise<void> {
  await reachKafka(operator.kafkaConfig);
  const port = createKafkaPort(kafkaOptions(operator.kafkaConfig, silentLogger));
  try {
    // Whoever held the lane may still be sending: only after this does the marker stand still.
    if (lane.holder !== null) await fenceHolder(port, lane.holder);
    const marker = (await port.readMarkers('lane', [lane.lane])).get(lane.lane) ?? -1;
    const nextSequence = await operator.nextSequenceOf(lane.lane);
    const facts = { lane, marker, nextSequence };
    if (from === 'marker') await believeMarker(cli, operator, facts);
    else if (from === 'delivered') await believeDatabase(cli, operator, port, facts);
    else await resumeIfSound(operator, facts);
  } finally {
    await port.close();
  }
}

/** The holder is alive, has just been fenced and begins anew, and may get in between: then once more. */
async function fenceHolder(port: ClosableKafkaPort, holder: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await port.fence(holder);
    } catch (thrown) {
      if (asRelayError(thrown).code !== 'KAFKA_FENCED' || attempt >= FENCE_ATTEMPTS_MAX) throw thrown;
    }
    await systemClock.sleep(FENCE_PAUSE_MS);
  }
}

async function resumeIfSound(operator: Operator, facts: Facts): Promise<void> {
  const { lane } = facts.lane;
  const why = whatDisagrees(facts);
  if (why !== null) {
    throw new RelayError(
      'INVARIANT_BROKEN',
      `lane ${lane} stays halted, decide with --from: ${why}\n\n${RESUME_COSTS}`,
    );
  }
  await operator.resumeLane(lane);
}

async function believeMarker(cli: Cli, operator: Operator, facts: Facts): Promise<void> {
  const { lane, marker, nextSequence } = facts;
  const refuse = (why: string) =>
    new RelayError('CONFIG_INVALID', `lane ${lane.lane} cannot go on from its marker: ${why}`);
  if (marker === -1) throw refuse('Kafka has none; use --from delivered');
  if (marker < laneFloor(lane.lane) || marker >= laneEnd(lane.lane)) {
    throw refuse(`${marker} is no id of this lane; use --from delivered`);
  }
  if (marker > laneFloor(lane.lane) && sequenceOf(marker) >= nextSequence) {
    throw refuse('it is ahead of the database, so that rows to come would be skipped; use --from delivered');
  }
  await operator.resumeLane(lane.lane, { deliveredId: marker });
  cli.print(`lane ${lane.lane}: delivered id was ${lane.deliveredId ?? 'none'}, is ${marker} as in Kafka`);
}

/** The marker first, then the lane: a crash in between leaves the lane halted, and the command can be run again. */
async function believeDatabase(cli: Cli, operator: Operator, port: ClosableKafkaPort, facts: Facts): Promise<void> {
  const { lane, marker, nextSequence } = facts;
  const why = whatDisagrees(facts);
  // Writing it would spoil somebody else's.
  if (why !== null && nextSequence === 1 && marker > laneFloor(lane.lane)) {
    throw new RelayError('CONFIG_INVALID', `lane ${lane.lane}: ${why}; take another prefix and run init`);
  }
  const wanted = lane.deliveredId ?? laneFloor(lane.lane);
  if (marker > wanted && why === null) {
    throw new RelayError(
      'CONFIG_INVALID',
      `lane ${lane.lane}: the marker ${marker} is sound and ahead of ${wanted}; without --from, nothing is delivered twice`,
    );
  }
  if (marker !== wanted) {
    const session = await port.open(`${operator.kafkaConfig.kafka.transactionalIdPrefix}.cli-lane-${lane.lane}`);
    try {
      await session.transact([], [{ kind: 'lane', lane: lane.lane, value: wanted }]);
    } finally {
      await session.close();
    }
    cli.print(`lane ${lane.lane}: marker was ${marker === -1 ? 'none' : marker}, is ${wanted} as in the database`);
  }
  await operator.resumeLane(lane.lane);
}
