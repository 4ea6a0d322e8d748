/**
 * `npm run bench`: how fast, how quick and how costly the relay is, beside raw kafkajs in the same run. Ends with the floors;
 * exit code 1 when one is missed, each named.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { EXIT, type ExitCode } from '#runtime';
import { givenServers, type Stack, startStack } from '#testkit';
import { judge } from './floors.ts';
import { describeMachine } from './machine.ts';
import { type BenchOptions, parseOptions } from './options.ts';
import { renderReport } from './report.ts';
import { runAll } from './run-all.ts';

const DOCUMENT = fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url));

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function bench(words: readonly string[], options: BenchOptions, stack: Stack): Promise<ExitCode> {
  const machine = await describeMachine(stack);
  for (const line of machine) say(line);
  const measured = await runAll(stack, options, say);
  const floors = judge(measured);
  const command = ['npm run bench', ...(words.length > 0 ? ['--', ...words] : [])].join(' ');
  const date = new Date().toISOString().slice(0, 10);
  const report = renderReport(measured, floors, { ...options, command, date, machine });
  say(`\n${report}`);
  if (options.write) {
    mkdirSync(fileURLToPath(new URL('.', `file://${DOCUMENT}`)), { recursive: true });
    writeFileSync(DOCUMENT, report);
  }
  const missed = floors.filter(({ held }) => !held);
  for (const { name, wanted, unit, found } of missed)
    say(`missed: ${name}: ${found.toFixed(3)}, wanted ${wanted} ${unit}`);
  say(`${floors.length - missed.length} of ${floors.length} floors held`);
  return missed.length === 0 ? EXIT.done : EXIT.checkFailed;
}

async function main(words: readonly string[]): Promise<ExitCode> {
  const options = parseOptions(words);
  let stack: Stack;
  try {
    stack = await startStack({ env: givenServers() });
  } catch (error) {
    process.stderr.write(`the servers did not start: ${error instanceof Error ? error.message : error}\n`);
    return EXIT.unreachable;
  }
  try {
    return await bench(words, options, stack);
  } catch (error) {
    process.stderr.write(`the bench failed: ${error instanceof Error ? error.message : error}\n`);
    return EXIT.checkFailed;
  } finally {
    await stack.stop();
  }
}

process.exit(await main(process.argv.slice(2)));
