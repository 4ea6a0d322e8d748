/** `stack up`: starts the servers so that they outlive the command; a stack that went down is started on its data again. */
import mysql from 'mysql2/promise';
import { freePort, freePortNear, startStack } from '#testkit';
import { endProcesses } from './end-processes.ts';
import { isOurs, readState, STACK_DIR, type StackPorts, type StackState, writeState } from './state.ts';
import { DB_NAME } from './variables.ts';

/** Ports the user insists on; the others are the usual ones when free, and any free ones otherwise. */
export type WantedPorts = { readonly [server in keyof StackPorts]: number | null };

const USUAL: StackPorts = { database: 3306, redis: 6379, kafka: 9092 };

export async function up(wanted: WantedPorts): Promise<{ state: StackState; wasUp: boolean }> {
  const before = readState();
  if (before?.pids.every(isOurs)) return { state: before, wasUp: true };
  if (before !== null) await endProcesses(before.pids);
  const ports = before?.ports ?? {
    database: await pick('database', wanted),
    redis: await pick('redis', wanted),
    kafka: await pick('kafka', wanted),
  };
  const stack = await startStack({
    dir: STACK_DIR,
    detached: true,
    env: {},
    databasePort: ports.database,
    redisPort: ports.redis,
    kafkaPort: ports.kafka,
  });
  const pids = [stack.mariadb?.pid, stack.redis?.pid, ...(stack.kafka?.pids ?? [])].filter((pid) => pid !== undefined);
  const state = { pids, ports, variables: stack.variables };
  writeState(state);
  await createDatabase(stack.database);
  return { state, wasUp: false };
}

async function pick(server: keyof StackPorts, wanted: WantedPorts): Promise<number> {
  const port = wanted[server];
  if (port === null) return await freePortNear(USUAL[server]);
  try {
    return await freePort(port);
  } catch {
    throw new Error(`port ${port} for ${server} is taken`);
  }
}

async function createDatabase(address: { host: string; port: number; user: string; password: string }): Promise<void> {
  const { host, port, user, password } = address;
  const connection = await mysql.createConnection({ host, port, user, password, connectTimeout: 10_000 });
  try {
    await connection.query(`CREATE DATABASE IF NOT EXISTS \`${DB_NAME}\` CHARACTER SET utf8mb4`);
  } finally {
    await connection.end();
  }
}
