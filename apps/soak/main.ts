/**
 * `npm run soak:gaps`: millions of rows by statements that own ids without rows, in every innodb_autoinc_lock_mode. Exit code 1
 * when a row was lost, doubled or out of order, when a gap stays open, and when nothing dangerous was injected.
 */
import { EXIT, type ExitCode, systemClock } from '#runtime';
import { HistoryWriter, interruption, startKafka, startRedis } from '#testkit';
import { parseOptions, rerunOf, type SoakOptions } from './options.ts';
import { type PhaseResult, runPhase } from './phase.ts';
import { judge, summary } from './report.ts';

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const complain = (text: string): void => void process.stderr.write(`${text}\n`);

const SENDERS = 2;
const FAULT_EVERY_MS = { min: 25_000, max: 60_000 };
/** Mode 0 lets one statement at a time insert, so that it gets fewer rows. */
const SHARES = [0.15, 1, 1] as const;

async function soak(options: SoakOptions, redisUrl: string, kafkaBootstrap: string): Promise<PhaseResult[]> {
  const { modes, rows, seed, minutes, connections, longSeconds } = options;
  const history = options.history === null ? null : new HistoryWriter(options.history);
  const signal = interruption(EXIT.checkFailed);
  const startedMs = systemClock.nowMs();
  const timed = (text: string) =>
    say(`${((systemClock.nowMs() - startedMs) / 1_000).toFixed(1).padStart(7)} s  ${text}`);
  const shareOf = (mode: number) => SHARES[mode] ?? 1;
  const shares = modes.reduce((total, mode) => total + shareOf(mode), 0);
  const phases: PhaseResult[] = [];
  try {
    for (const [index, lockMode] of modes.entries()) {
      if (signal.aborted) break;
      const share = shareOf(lockMode) / shares;
      timed(`phase ${index + 1}: innodb_autoinc_lock_mode ${lockMode}`);
      const phase = await runPhase({
        ...{ redisUrl, kafkaBootstrap, lockMode, connections, history, signal, say: timed },
        child: (seed + index) % 2 === 0,
        rows: Math.round(rows * share),
        untilMs: systemClock.nowMs() + minutes * 60_000 * share,
        seed: seed + index,
        longMs: longSeconds * 1_000,
        senders: SENDERS,
        faultEveryMs: FAULT_EVERY_MS,
      });
      timed(summary(`innodb_autoinc_lock_mode ${lockMode}`, phase));
      phases.push(phase);
    }
  } finally {
    history?.close();
  }
  return phases;
}

async function main(): Promise<ExitCode> {
  const options = parseOptions(process.argv.slice(2));
  const rerun = rerunOf(options);
  say(`seed ${options.seed}, ${options.rows} rows, innodb_autoinc_lock_mode ${options.modes.join(', ')}`);
  const started = await Promise.allSettled([startRedis(), startKafka()]);
  const [redis, kafka] = started;
  try {
    if (redis.status === 'rejected' || kafka.status === 'rejected') {
      const failed = started.find((outcome) => outcome.status === 'rejected');
      complain(`the servers did not start: ${failed?.reason}`);
      return EXIT.unreachable;
    }
    const { line, faults } = judge(await soak(options, redis.value.url, kafka.value.bootstrap));
    for (const fault of faults) say(`FAILED: ${fault}`);
    say(`rerun: ${rerun}`);
    say(line);
    return faults.length === 0 ? EXIT.done : EXIT.checkFailed;
  } catch (error) {
    complain(`the soak itself failed: ${error instanceof Error ? error.stack : error}\nrerun: ${rerun}`);
    return EXIT.checkFailed;
  } finally {
    await Promise.all(started.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value.stop() : undefined)));
  }
}

process.exit(await main());
