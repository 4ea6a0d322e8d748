/** A sample deployment for the steps of an end-to-end program, taken down whatever happens in between. */
import type { Deployment, DeploymentServers, Load } from '#testkit';
import { createSample, type SampleLoadOptions, startSampleLoad } from './sample.ts';
import type { Steps } from './steps.ts';

export interface SampleDeployment {
  readonly deployment: Deployment;
  /** A load on its table; stopped at the end if it still runs. */
  startLoad(options: SampleLoadOptions): Load;
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
  const make = () => createSample(settings, servers);
  const deployment = await steps.step('a test database with a sample table', make, ({ name }) => name);
  const loads: Load[] = [];
  const interrupt = () => {
    for (const app of deployment.apps) if (app.running) void app.kill();
    for (const load of loads) void load.stop().catch(() => undefined);
  };
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    await work({
      deployment,
      startLoad: (options) => {
        const load = startSampleLoad(deployment, options);
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
