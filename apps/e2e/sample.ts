/** A deployment with a sample table, and loads on it. */
import {
  createDeployment,
  type Deployment,
  type DeploymentServers,
  type Load,
  type LoadMix,
  SAMPLE_COLUMNS,
  SAMPLE_KEY,
  SAMPLE_WATERMARK,
  type SampleOptions,
  sampleSupplies,
  sampleTableSql,
  startLoad,
} from '#testkit';

export const SAMPLE_TABLE = 'bookings';

/** On the servers of the test environment unless others are given. */
export async function createSample(
  settings: Readonly<Record<string, string>> = {},
  servers?: DeploymentServers,
): Promise<Deployment> {
  const deployment = await createDeployment({
    name: 'krs_e2e',
    source: { table: SAMPLE_TABLE, keyColumn: SAMPLE_KEY },
    settings,
    ...(servers === undefined ? {} : { servers }),
  });
  await deployment.query(sampleTableSql(SAMPLE_TABLE));
  return deployment;
}

export interface SampleLoadOptions extends SampleOptions {
  readonly seed: number;
  readonly rowsPerSecond?: number;
  readonly mix?: Partial<LoadMix>;
}

export function startSampleLoad(deployment: Deployment, options: SampleLoadOptions): Load {
  const { seed, rowsPerSecond, mix, ...sample } = options;
  return startLoad({
    target: {
      ...deployment.database,
      table: SAMPLE_TABLE,
      watermarkColumn: SAMPLE_WATERMARK,
      columns: SAMPLE_COLUMNS,
    },
    supplies: sampleSupplies(sample),
    seed,
    ...(mix === undefined ? {} : { mix }),
    ...(rowsPerSecond === undefined ? {} : { rowsPerSecond }),
  });
}
