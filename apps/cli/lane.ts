/** `lane list|pause|resume|grow`: what an operator can do with lanes. */
import { type Command, Option } from 'commander';
import { LANES_MAX } from '#outbox';
import { checkSchema } from '#outbox-storage';
import { readLanes } from '../wiring/read-lanes.ts';
import type { Cli } from './cli.ts';
import { reachKafka, refuseSqlite, withDatabase, withOperator } from './connect.ts';
import { GROW_TEXT, grow } from './grow-lanes.ts';
import { integerBetween, secondsAsMs } from './parse-arguments.ts';
import { pickLanes } from './pick-lanes.ts';
import { renderLanes } from './render-status.ts';
import { toJson } from './render-table.ts';
import { RESUME_COSTS, type ResumeFromOption, resume } from './resume-lane.ts';

const ALL = 'all';
const GROW_WAIT_MS = 30_000;
const laneNumber = integerBetween(0, LANES_MAX - 1);
const LANES = '<lanes...>';
const LANES_TEXT = `numbers of lanes, or ${ALL}`;

/** Collects the numbers; null stands for all lanes. */
function lanesOf(text: string, before: readonly number[] | null | undefined): readonly number[] | null {
  if (text === ALL || before === null) return null;
  return [...(before ?? []), laneNumber(text)];
}

export function addLane(program: Command, cli: Cli): void {
  const lane = program.command('lane').description('list, pause, resume and add lanes');
  lane
    .command('list')
    .description('show every lane: state, holder, delivered id, marker, backlog')
    .option('--json', 'print JSON')
    .action((options: { readonly json?: boolean }) => list(cli, options.json ?? false));
  lane
    .command('pause')
    .description('stop delivering lanes until they are resumed')
    .argument(LANES, LANES_TEXT, lanesOf)
    .option('--why <text>', 'reason that status shows', 'paused by an operator')
    .action((numbers: readonly number[] | null, options: { readonly why: string }) => pause(cli, numbers, options.why));
  lane
    .command('resume')
    .description('let paused or halted lanes go on')
    .argument(LANES, LANES_TEXT, lanesOf)
    .addOption(new Option('--from <what>', 'which of the two to believe').choices(['marker', 'delivered']))
    .addHelpText('after', `\n${RESUME_COSTS}`)
    .action((numbers: readonly number[] | null, options: { readonly from?: ResumeFromOption }) =>
      resume(cli, numbers, options.from ?? null),
    );
  addGrow(lane, cli);
}

function addGrow(lane: Command, cli: Cli): void {
  lane
    .command('grow')
    .description('give a source more lanes')
    .argument('<source>', 'name of the source')
    .argument('<lanes>', 'how many lanes it is to have', integerBetween(1, LANES_MAX))
    .option('--wait <seconds>', 'how long to try', secondsAsMs, GROW_WAIT_MS)
    .addHelpText('after', `\n${GROW_TEXT}`)
    .action(async (source: string, lanes: number, options: { readonly wait: number }) => {
      const { config } = cli.load({ needs: ['database'] });
      refuseSqlite(config, 'lane grow');
      await withDatabase(config, async (pool) => {
        await checkSchema(pool, config.tables);
        await grow(cli, config, pool, { source, lanes, waitMs: options.wait });
      });
    });
}

async function list(cli: Cli, json: boolean): Promise<void> {
  const { config } = cli.load({ needs: ['database'] });
  await withOperator(config, async (operator) => {
    await operator.checkSchema();
    const { kafkaConfig } = operator;
    const { lanes, kafka } = await readLanes({ config: kafkaConfig, operator, kafka: () => reachKafka(kafkaConfig) });
    if (!kafka.reachable) cli.note(`Kafka is away, so the markers are not known: ${kafka.says}`);
    if (json) cli.print(toJson(lanes));
    else for (const line of renderLanes(lanes)) cli.print(line);
    for (const { lane, state, why } of json ? [] : lanes) {
      if (state !== 'running') cli.print(`lane ${lane} is ${state}: ${why}`);
    }
  });
}

async function pause(cli: Cli, numbers: readonly number[] | null, why: string): Promise<void> {
  const { config } = cli.load({ needs: ['database'] });
  await withOperator(config, async (operator) => {
    await operator.checkSchema();
    const lanes = await operator.listLanes();
    for (const { lane } of pickLanes(lanes, numbers)) {
      if (await operator.pauseLane(lane, why)) {
        cli.print(`lane ${lane} is paused; its holder stops within its lease at the latest`);
        continue;
      }
      const found = lanes.find((each) => each.lane === lane);
      cli.print(`lane ${lane} is ${found?.state ?? 'not running'} already: ${found?.why ?? ''}`);
    }
  });
}
