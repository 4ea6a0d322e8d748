/** `lane list|pause|resume`: what an operator can do with a lane. */
import { type Command, Option } from 'commander';
import { LANES_MAX } from '#outbox';
import { checkSchema, createSenderStore, pauseLane } from '#outbox-storage';
import { readStatus } from '../wiring/read-status.ts';
import type { Cli } from './cli.ts';
import { reachKafka, withDatabase } from './connect.ts';
import { noSuchLane } from './no-such-lane.ts';
import { integerBetween } from './parse-arguments.ts';
import { pingRedis } from './ping-redis.ts';
import { renderLanes } from './render-status.ts';
import { toJson } from './render-table.ts';
import { RESUME_COSTS, type ResumeFromOption, resume } from './resume-lane.ts';

const laneNumber = integerBetween(0, LANES_MAX - 1);

export function addLane(program: Command, cli: Cli): void {
  const lane = program.command('lane').description('list, pause and resume lanes');
  lane
    .command('list')
    .description('show every lane: state, holder, delivered id, marker, backlog')
    .option('--json', 'print JSON')
    .action((options: { readonly json?: boolean }) => list(cli, options.json ?? false));
  lane
    .command('pause')
    .description('stop delivering a lane until it is resumed')
    .argument('<lane>', 'number of the lane', laneNumber)
    .option('--why <text>', 'reason that status shows', 'paused by an operator')
    .action((number: number, options: { readonly why: string }) => pause(cli, number, options.why));
  lane
    .command('resume')
    .description('let a paused or halted lane go on')
    .argument('<lane>', 'number of the lane', laneNumber)
    .addOption(new Option('--from <what>', 'which of the two to believe').choices(['marker', 'delivered']))
    .addHelpText('after', `\n${RESUME_COSTS}`)
    .action((number: number, options: { readonly from?: ResumeFromOption }) =>
      resume(cli, number, options.from ?? null),
    );
}

async function list(cli: Cli, json: boolean): Promise<void> {
  const { config } = cli.load({ needs: ['database'] });
  await withDatabase(config, async (pool) => {
    await checkSchema(pool, config.tables);
    const { lanes, kafka } = await readStatus({ config, pool, kafka: () => reachKafka(config), redis: pingRedis });
    if (!kafka.reachable) cli.note(`Kafka is away, so the markers are not known: ${kafka.says}`);
    if (json) cli.print(toJson(lanes));
    else for (const line of renderLanes(lanes)) cli.print(line);
    for (const { lane, state, why } of json ? [] : lanes) {
      if (state !== 'running') cli.print(`lane ${lane} is ${state}: ${why}`);
    }
  });
}

async function pause(cli: Cli, number: number, why: string): Promise<void> {
  const { config } = cli.load({ needs: ['database'] });
  await withDatabase(config, async (pool) => {
    await checkSchema(pool, config.tables);
    if (await pauseLane(pool, config.tables, number, why)) {
      cli.print(`lane ${number} is paused; its holder stops within its lease at the latest`);
      return;
    }
    const lanes = await createSenderStore({ pool, tables: config.tables }).listLanes();
    const found = lanes.find(({ lane }) => lane === number);
    if (!found) throw noSuchLane(number, lanes.length);
    cli.print(`lane ${number} is ${found.state} already: ${found.why}`);
  });
}
