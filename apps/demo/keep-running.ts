/** `--keep`: says where everything is and how to look at it, and waits for Ctrl-C. */
import { once } from 'node:events';
import { showRedisAddress } from '#runtime';
import type { Deployment } from '#testkit';
import type { Fleet } from './fleet.ts';

const SECRETS = new Set(['KAFKA_ROW_SENDER_DB_PASSWORD', 'KAFKA_ROW_SENDER_REDIS_URL']);

const shell = (value: string): string => `'${value.replaceAll("'", `'\\''`)}'`;

interface KeepOptions {
  readonly signal: AbortSignal;
  /** False: servers were given, and their passwords are not ours to print. */
  readonly ownServers: boolean;
}

export async function keepRunning(
  deployment: Deployment,
  fleet: Fleet,
  { signal, ownServers }: KeepOptions,
): Promise<void> {
  const { host, port, user, password, name } = deployment.database;
  const say = (line = '') => void process.stdout.write(`${line}\n`);
  say();
  say('It stays up until Ctrl-C (or SIGTERM), which stops and removes everything. Addresses:');
  say(`  MariaDB  mariadb -h ${host} -P ${port} -u ${user} -p${ownServers ? password : ''} ${name}   (table flights)`);
  say(`  Kafka    ${deployment.servers.kafkaBootstrap}, topic ${deployment.topic}`);
  say(`  Redis    ${showRedisAddress(deployment.servers.redisUrl ?? '')}`);
  for (const process of fleet.running) {
    say(`  ${process.name.padEnd(8)} pid ${process.app.pid}, ${fleet.addressOf(process) ?? 'starting'}/metrics`);
  }
  say('To use the command line on it, in another shell:');
  for (const [variable, value] of Object.entries(deployment.env)) {
    const known = !ownServers && SECRETS.has(variable);
    say(known ? `  # export ${variable}=  (as you have given it)` : `  export ${variable}=${shell(value)}`);
  }
  say('  npm run cli -- status      npm run cli -- verify --wait 10');
  if (!signal.aborted) await once(signal, 'abort');
}
