/**
 * The life of an executable: settings, logger, signals, deadlines and exit codes. SIGTERM and SIGINT abort the signal; the
 * process then has the shutdown timeout to drain, and ends with or without its servers.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { type Config, type LoadedConfig, type LoadOptions, loadConfig } from '#config';
import { asRelayError, createLogger, EXIT, type Logger, type LogLevel, type RelayError } from '#runtime';
import { limitHeap } from './limit-heap.ts';

export interface Service {
  readonly config: Config;
  readonly logger: Logger;
  /** Unique to this process; ends its transactional id and names it among the members. */
  readonly instanceId: string;
  /** Aborts on the first SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
}

/** The sender's transactional id, by which it is also known among the members. */
export const senderIdOf = ({ config, instanceId }: Pick<Service, 'config' | 'instanceId'>): string =>
  `${config.kafka.transactionalIdPrefix}.${instanceId}`;

/** Runs `main` to its end and ends the process with the exit code that fits. Never returns. */
export async function runService(
  name: string,
  options: LoadOptions,
  main: (service: Service) => Promise<void>,
): Promise<never> {
  limitHeap();
  const loaded = loadOrExit(options);
  const { config } = loaded;
  const instanceId = config.instanceId ?? `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
  const logger = createLogger({ level: config.logLevel as LogLevel, process: name, instance: instanceId });
  const stopping = new AbortController();
  dieOnUnhandled(logger);
  stopOnSignals(stopping, config.shutdownTimeoutMs, logger);
  logger.info({ pid: process.pid, node: process.version }, 'started');
  for (const warning of loaded.warnings) logger.warn({}, warning);
  try {
    await main({ config, logger, instanceId, signal: stopping.signal });
    logger.info({}, 'stopped');
    process.exit(EXIT.done);
  } catch (thrown) {
    const error = asRelayError(thrown);
    logger.fatal({ err: error }, 'ended by a fault');
    process.exit(error.exitCode);
  }
}

export function loadOrExit(options: LoadOptions): LoadedConfig {
  try {
    return loadConfig(options);
  } catch (thrown) {
    return exitWith(asRelayError(thrown));
  }
}

/** One clear text on standard error, without a stack, and the exit code of the fault. */
export function exitWith(error: RelayError): never {
  process.stderr.write(`${error.message}\n`);
  process.exit(error.exitCode);
}

/** A rejection nobody awaited is a defect of ours: the process ends loudly, its leases and locks run out, nothing is lost. */
function dieOnUnhandled(logger: Logger): void {
  const die = (thrown: unknown) => {
    logger.fatal({ err: thrown }, 'unhandled fault');
    process.exit(EXIT.halted);
  };
  process.on('unhandledRejection', die);
  process.on('uncaughtException', die);
}

function stopOnSignals(stopping: AbortController, shutdownTimeoutMs: number, logger: Logger): void {
  const stop = (signal: NodeJS.Signals) => {
    if (stopping.signal.aborted) return;
    logger.info({ signal, shutdownTimeoutMs }, 'stopping');
    const deadline = setTimeout(() => {
      logger.error({ shutdownTimeoutMs }, 'could not drain in time; leases and locks will run out by themselves');
      process.exit(EXIT.unreachable);
    }, shutdownTimeoutMs);
    deadline.unref();
    stopping.abort();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}
