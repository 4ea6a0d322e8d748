/** A broker that asks the processes for a login, by a user whose password can be changed; the drill itself needs none. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startKafka } from '#testkit';
import { type DrillServers, SECRETS } from '../servers.ts';
import { createKafkaLogin, WITH_LOGIN } from './kafka-login.ts';
import type { Stage } from './stage.ts';

export async function openLoginStage(main: DrillServers, faultsMax: number): Promise<Stage> {
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'krs-login-'));
  const kafka = await startKafka({ loginPorts: [port], properties: WITH_LOGIN });
  const plan = { bootstrap: kafka.bootstrap, address: `127.0.0.1:${port}`, file: join(dir, 'password') };
  const kafkaLogin = createKafkaLogin(plan);
  const stop = async () => {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    kafkaLogin.write(SECRETS.kafka);
    await kafkaLogin.change(SECRETS.kafka);
  } catch (error) {
    await stop();
    throw error;
  }
  return { servers: { ...main, kafka, kafkaLogin, stop }, scene: { env: kafkaLogin.env }, faultsMax, close: stop };
}
