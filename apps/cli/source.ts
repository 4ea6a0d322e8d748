/** `source list|show|accept`: sources that a change of their table has halted, and the word that lets them go on. */
import { type Command, InvalidArgumentError } from 'commander';
import type { Config, SourceConfig } from '#config';
import { type AcceptFrom, howToGoOn, laneFloor, planAcceptance, sequenceOf, type WatermarkState } from '#outbox';
import { RelayError } from '#runtime';
import type { Operator } from '../wiring/operator.ts';
import { readLanes } from '../wiring/read-lanes.ts';
import type { Cli } from './cli.ts';
import { reachKafka, withOperator } from './connect.ts';
import { renderTable, toJson } from './render-table.ts';

const ACCEPT_TEXT = `A writer halts a source whose table has changed so that going on would lose rows, repeat them, or leave columns out. The halt
outlives every process; every writer waits. accept goes on with the table as it is now, and writers notice within seconds:
  a column that is gone       the columns that are there now are delivered from here on.
  a table that went back      TRUNCATE, DROP and CREATE, a restored table, a lowered AUTO_INCREMENT: reading goes back, and new
                              rows are read once each. Which rows are new is found out from a sample of the rows moved before;
                              where that does not tell, nothing happens and --from is asked for:
    --from first              every row of the table is new
    --from <id>               rows from this id on are new
    --from next               none below the last id moved: go on as if nothing had happened
                              Ids that come again get event ids with a number, <source>:2:<id>, so that readers that drop
                              copies by event id take them for the new rows they are.
  anything else               the cause must be gone: see doctor. After a restored backup add --new-ids if the application
                              inserts other rows under the ids that the backup does not know.
--dry-run says what would be done and does nothing.`;

interface AcceptOptions {
  readonly from?: AcceptFrom;
  readonly dryRun?: boolean;
  readonly newIds?: boolean;
}

const ID = /^-?\d{1,20}$/;

function acceptFrom(text: string): AcceptFrom {
  if (text === 'first' || text === 'next') return text;
  if (ID.test(text)) return BigInt(text);
  throw new InvalidArgumentError('Give first, next, or an id.');
}

export function addSource(program: Command, cli: Cli): void {
  const source = program.command('source').description('look at halted sources, and let them go on');
  source
    .command('list')
    .description('show every source: state, position, incarnation')
    .option('--json', 'print JSON')
    .action((options: { readonly json?: boolean }) => list(cli, options.json ?? false));
  source
    .command('show')
    .description('show one source: why it is halted, the columns delivered, what is known of its table')
    .argument('<name>', 'name of the source')
    .action((name: string) => show(cli, name));
  source
    .command('accept')
    .description('accept what halted a source: it goes on with the table as it is now')
    .argument('<name>', 'name of the source')
    .option('--from <what>', 'which rows are new: first, next, or an id', acceptFrom)
    .option('--new-ids', 'ids to come were used before, by other rows: event ids get a number')
    .option('--dry-run', 'say what would be done, and do nothing')
    .addHelpText('after', `\n${ACCEPT_TEXT}`)
    .action((name: string, options: AcceptOptions) => accept(cli, name, options));
}

async function withSources<T>(cli: Cli, work: (operator: Operator, config: Config) => Promise<T>): Promise<T> {
  const { config } = cli.load({ needs: ['database'] });
  return withOperator(config, async (operator) => {
    await operator.checkSchema();
    return work(operator, config);
  });
}

/** Throws CONFIG_INVALID for a source that no writer has registered. */
async function findSource(operator: Operator, name: string): Promise<WatermarkState> {
  const found = await operator.loadWatermark(name);
  if (found !== null) return found;
  const known = (await operator.listWatermarks()).map(({ source }) => source).join(', ');
  const what = known === '' ? 'no writer has registered one yet' : `the sources are: ${known}`;
  throw new RelayError('CONFIG_INVALID', `there is no source ${name}: ${what}`);
}

const brief = ({ source, state, position, epoch, leader, incarnations, cause, why }: WatermarkState) => ({
  source,
  state,
  position,
  incarnation: incarnations.at(-1)?.number ?? 1,
  epoch,
  leader,
  cause,
  why,
});

async function list(cli: Cli, json: boolean): Promise<void> {
  await withSources(cli, async (operator) => {
    const sources = (await operator.listWatermarks()).map(brief);
    if (json) return cli.print(toJson(sources));
    const rows = sources.map((each) => [each.source, each.state, each.position, each.incarnation, each.leader]);
    for (const line of renderTable(['SOURCE', 'STATE', 'POSITION', 'INCARNATION', 'LEADER'], rows)) cli.print(line);
    for (const { source, state, cause, why } of sources) {
      if (state === 'halted') cli.print(`source ${source} is halted: ${why}; ${howToGoOn(source, cause)}`);
    }
  });
}

async function show(cli: Cli, name: string): Promise<void> {
  await withSources(cli, async (operator) => {
    const state = await findSource(operator, name);
    const facts = await operator.loadTableFacts(name);
    const halted = state.state === 'halted' ? { howToGoOn: howToGoOn(name, state.cause) } : {};
    const table = {
      columns: facts?.columns ?? null,
      mark: facts?.mark ?? null,
      next: facts?.next ?? null,
      sampledRows: facts?.sample?.rows.length ?? 0,
    };
    cli.print(toJson({ ...brief(state), ...halted, incarnations: state.incarnations, table }));
  });
}

async function accept(cli: Cli, name: string, options: AcceptOptions): Promise<void> {
  const { from, dryRun = false, newIds = false } = options;
  await withSources(cli, async (operator, config) => {
    const state = await findSource(operator, name);
    if (state.state !== 'halted') {
      if (from !== undefined) throw new RelayError('CONFIG_INVALID', `source ${name} is running: nothing was changed`);
      return cli.print(`source ${name} is running already`);
    }
    if (state.cause === 'INVARIANT_BROKEN') await refuseMarkersAhead(operator, state);
    const facts = (await operator.loadTableFacts(name)) ?? { columns: null, mark: null, sample: null, next: null };
    const reader = await operator.openReader(configured(config, name));
    const plan = await planAcceptance({
      state,
      facts,
      gaps: await operator.loadGaps(name),
      reader,
      from: from ?? null,
      newIds,
    });
    if (plan.kind === 'refused') throw new RelayError('CONFIG_INVALID', `source ${name} stays halted: ${plan.why}`);
    if (plan.kind === 'undecided') {
      throw new RelayError(
        'INVARIANT_BROKEN',
        `source ${name} stays halted, decide with --from first, --from <id> or --from next: ${plan.says.join('; ')}`,
      );
    }
    cli.print(`source ${name} was halted: ${state.why}`);
    for (const line of plan.says) cli.print(`source ${name}: ${line}`);
    if (dryRun) return cli.print('nothing was changed: without --dry-run it is done');
    if (!(await operator.acceptSource(plan.acceptance))) {
      throw new RelayError('DB_TRANSIENT', `source ${name} changed meanwhile: nothing was changed, try again`);
    }
    cli.print(`source ${name} is running: a writer takes it within seconds`);
  });
}

/** Its table is looked at, so the settings must name it. */
function configured({ sources }: Config, name: string): SourceConfig {
  const found = sources.find((each) => each.name === name);
  if (found) return found;
  throw new RelayError(
    'CONFIG_INVALID',
    `the settings do not name source ${name}: run the command with the writer's settings`,
  );
}

/** A database older than Kafka: lanes are settled first, or rows moved from now on would be taken for delivered ones. */
async function refuseMarkersAhead(operator: Operator, { source, nextSequence }: WatermarkState): Promise<void> {
  const { kafkaConfig } = operator;
  if (kafkaConfig.deliveryMode !== 'exactly-once') return;
  const { lanes, kafka } = await readLanes({ config: kafkaConfig, operator, kafka: () => reachKafka(kafkaConfig) });
  if (!kafka.reachable) {
    throw new RelayError(
      'KAFKA_UNREACHABLE',
      `source ${source} stays halted: its markers cannot be read: ${kafka.says}`,
    );
  }
  for (const { lane, source: owner, marker } of lanes) {
    if (owner !== source || marker === null || marker <= laneFloor(lane) || sequenceOf(marker) < nextSequence) continue;
    const ahead = `marker ${marker} of lane ${lane} in Kafka is ahead of its next sequence ${nextSequence}`;
    throw new RelayError(
      'INVARIANT_BROKEN',
      `source ${source} stays halted: ${ahead}; first kafka-row-sender lane resume all --from delivered`,
    );
  }
}
