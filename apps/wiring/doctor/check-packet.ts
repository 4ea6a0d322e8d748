/** The largest statement the server takes, against what the writer puts into one. */
import { databaseCheck, fine, risky } from './finding.ts';

export const packet = databaseCheck(
  'max-allowed-packet',
  'max_allowed_packet against WRITER_BATCH_BYTES',
  ({ server }, { config }) => {
    const { statementBytesMax } = server.engine;
    const { batchBytesMax } = config.writer;
    if (statementBytesMax >= batchBytesMax)
      return [fine('', `${statementBytesMax} bytes, batches have ${batchBytesMax}`)];
    return [
      risky(
        '',
        `${statementBytesMax} bytes, below a batch of ${batchBytesMax}: a row larger than that halts its source`,
        'SET GLOBAL max_allowed_packet = 16777216, and in the configuration; or lower WRITER_BATCH_BYTES',
      ),
    ];
  },
);
