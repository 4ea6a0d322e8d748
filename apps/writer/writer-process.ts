/** One writer process, from its settings to its end. */
import { openDoorbell, openElection } from '../wiring/open-coordination.ts';
import { openDatabase } from '../wiring/open-database.ts';
import { poolOperator } from '../wiring/operator.ts';
import { serve } from '../wiring/serve.ts';
import { runService } from '../wiring/service.ts';
import { runWriter } from './run-writer.ts';

/** Ends the process. */
export const writerProcess = (): Promise<never> =>
  runService('writer', { envFile: '.env' }, async (service) => {
    const { config, logger, signal } = service;
    const pool = await openDatabase(config, 'writer', logger, signal);
    const doorbell = openDoorbell(config, logger);
    const served = await serve(service, poolOperator(pool, config), { writer: true, sender: false });
    const election = openElection(config, doorbell, logger, served.onWriterEvent);
    try {
      await runWriter(service, { pool, doorbell, election, ...served.forWriter });
    } finally {
      await served.close();
      await election.close();
      await doorbell.close();
      await pool.close();
    }
  });
