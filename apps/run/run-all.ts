/** `run`: writer and sender in one process, the same code paths; without Redis the doorbell rings in memory. */
import type { LoadOptions } from '#config';
import { createKafkaPort } from '#kafka-delivery';
import type { SenderEvent } from '#outbox';
import { runJobs } from '../sender/run-jobs.ts';
import { runSender } from '../sender/run-sender.ts';
import { openDoorbell, openElection } from '../wiring/open-coordination.ts';
import { openDatabase } from '../wiring/open-database.ts';
import { kafkaOptions } from '../wiring/open-kafka.ts';
import { serve } from '../wiring/serve.ts';
import { runService, type Service } from '../wiring/service.ts';
import { runWriter } from '../writer/run-writer.ts';

/** Runs until SIGTERM or SIGINT; ends the process. */
export function runAll(options: LoadOptions): Promise<never> {
  return runService('run', options, async (service) => {
    const { config, logger, signal } = service;
    const pool = await openDatabase(config, 'run', logger, signal);
    const doorbell = openDoorbell(config, logger);
    const election = openElection(config, doorbell, logger);
    const kafka = createKafkaPort(kafkaOptions(config, logger));
    const served = await serve(service, pool, { writer: true, sender: true });
    const jobs = runJobs(service, pool, doorbell);
    const onSenderEvent = (event: SenderEvent) => {
      served.onSenderEvent(event);
      jobs.onEvent(event);
    };
    try {
      await together(service, [
        (each) => runWriter(each, { pool, doorbell, election, onEvent: served.onWriterEvent }),
        (each) => runSender(each, { pool, doorbell, kafka, onEvent: onSenderEvent, onSender: served.watch }),
      ]);
    } finally {
      await jobs.stop();
      await served.close();
      await kafka.close();
      await election.close();
      await doorbell.close();
      await pool.close();
    }
  });
}

/** Runs the parts side by side; the fault of one stops the others cleanly before it is passed on. */
async function together(service: Service, parts: readonly ((service: Service) => Promise<void>)[]): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([service.signal, failed.signal]);
  const outcomes = await Promise.allSettled(
    parts.map((part) =>
      part({ ...service, signal }).catch((thrown: unknown) => {
        failed.abort();
        throw thrown;
      }),
    ),
  );
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
