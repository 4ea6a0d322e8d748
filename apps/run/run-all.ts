/** `run`: writer and sender in one process, the same code paths; without Redis the doorbell rings in memory. */
import type { LoadOptions } from '#config';
import { createKafkaPort } from '#kafka-delivery';
import type { SenderEvent } from '#outbox';
import { createSenderStore } from '#outbox-storage';
import { runJobs } from '../sender/run-jobs.ts';
import { runSender } from '../sender/run-sender.ts';
import { runRelay } from '../sqlite/run-relay.ts';
import { openDoorbell, openElection } from '../wiring/open-coordination.ts';
import { openDatabase } from '../wiring/open-database.ts';
import { kafkaOptions } from '../wiring/open-kafka.ts';
import { poolOperator } from '../wiring/operator.ts';
import { serve } from '../wiring/serve.ts';
import { runService } from '../wiring/service.ts';
import { together } from '../wiring/together.ts';
import { runWriter } from '../writer/run-writer.ts';

/** Runs until SIGTERM or SIGINT; ends the process. */
export function runAll(options: LoadOptions): Promise<never> {
  return runService('run', options, async (service) => {
    const { config, logger, signal } = service;
    if (config.sqlite !== null) return runRelay(service);
    const pool = await openDatabase(config, 'run', logger, signal);
    const doorbell = openDoorbell(config, logger);
    const kafka = createKafkaPort(kafkaOptions(config, logger));
    const served = await serve(service, poolOperator(pool, config), { writer: true, sender: true });
    const election = openElection(config, doorbell, logger, served.onWriterEvent);
    const store = createSenderStore({ pool, tables: config.tables });
    const jobs = runJobs(service, pool, doorbell);
    const onSenderEvent = (event: SenderEvent) => {
      served.onSenderEvent(event);
      jobs.onEvent(event);
    };
    try {
      await together(service, [
        (each) => runWriter(each, { pool, doorbell, election, ...served.forWriter }),
        (each) => runSender(each, { store, doorbell, kafka, onEvent: onSenderEvent, ...served.forSender }),
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
