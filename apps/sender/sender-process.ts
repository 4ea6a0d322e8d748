/** One sender process, from its settings to its end. */
import { createKafkaPort } from '#kafka-delivery';
import type { SenderEvent } from '#outbox';
import { createSenderStore } from '#outbox-storage';
import { openDoorbell } from '../wiring/open-coordination.ts';
import { openDatabase } from '../wiring/open-database.ts';
import { kafkaOptions } from '../wiring/open-kafka.ts';
import { poolOperator } from '../wiring/operator.ts';
import { serve } from '../wiring/serve.ts';
import { runService } from '../wiring/service.ts';
import { runJobs } from './run-jobs.ts';
import { runSender } from './run-sender.ts';

/** Ends the process. */
export const senderProcess = (): Promise<never> =>
  runService('sender', { envFile: '.env', needs: ['database'] }, async (service) => {
    const { config, logger, signal } = service;
    const pool = await openDatabase(config, 'sender', logger, signal);
    const doorbell = openDoorbell(config, logger);
    const kafka = createKafkaPort(kafkaOptions(config, logger));
    const store = createSenderStore({ pool, tables: config.tables });
    const served = await serve(service, poolOperator(pool, config), { writer: false, sender: true });
    const jobs = runJobs(service, pool, doorbell);
    const onEvent = (event: SenderEvent) => {
      served.onSenderEvent(event);
      jobs.onEvent(event);
    };
    try {
      await runSender(service, { store, doorbell, kafka, onEvent, ...served.forSender });
    } finally {
      await jobs.stop();
      await served.close();
      await kafka.close();
      await doorbell.close();
      await pool.close();
    }
  });
