/** A deployment with a sample table, taken down whatever happens in between. */
import {
  createDeployment,
  type Deployment,
  type DeploymentServers,
  type Load,
  SAMPLE_COLUMNS,
  SAMPLE_KEY,
  SAMPLE_WATERMARK,
  type SampleOptions,
  sampleSupplies,
  sampleTableSql,
  startLoad,
} from '#testkit';
import type { Steps } from './steps.ts';

const TABLE = 'bookings';

export interface SampleDeployment {
  readonly deployment: Deployment;
  /** A load on its table; stopped at the end if it still runs. */
  startLoad(options: SampleOptions & { readonly seed: number; readonly rowsPerSecond?: number }): Load;
}

export interface WithSampleOptions {
  readonly steps: Steps;
  readonly servers: DeploymentServers;
  readonly signal: AbortSignal;
  readonly settings?: Readonly<Record<string, string>>;
}

export async function withSampleDeployment(
  { steps, servers, signal, settings = {} }: WithSampleOptions,
  work: (sample: SampleDeployment) => Promise<void>,
): Promise<void> {
  const deployment = await steps.step(
    'a test database with a sample table',
    async () => {
      const made = await createDeployment({
        name: 'krs_e2e',
        servers,
        source: { table: TABLE, keyColumn: SAMPLE_KEY },
        settings,
      });
      await made.query(sampleTableSql(TABLE));
      return made;
    },
    ({ name }) => name,
  );
  const loads: Load[] = [];
  const interrupt = () => {
    for (const app of deployment.apps) if (app.running) void app.kill();
    for (const load of loads) void load.stop().catch(() => undefined);
  };
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    await work({
      deployment,
      startLoad: ({ seed, rowsPerSecond, ...sample }) => {
        const load = startLoad({
          target: { ...deployment.database, table: TABLE, watermarkColumn: SAMPLE_WATERMARK, columns: SAMPLE_COLUMNS },
          supplies: sampleSupplies(sample),
          seed,
          ...(rowsPerSecond === undefined ? {} : { rowsPerSecond }),
        });
        loads.push(load);
        return load;
      },
    });
  } finally {
    signal.removeEventListener('abort', interrupt);
    await Promise.all(loads.map((load) => load.stop().catch(() => undefined)));
    await steps.step('clean up', () => deployment.drop());
  }
}
