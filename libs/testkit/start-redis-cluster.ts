/** Three redis-servers that are one cluster, each with a third of the slots. */
import { type OwnRedis, startOwnRedis } from './own-redis.ts';
import { until } from './until.ts';

export interface RedisCluster {
  readonly nodes: readonly OwnRedis[];
  /** `redis-cluster://..` */
  readonly url: string;
  stop(): Promise<void>;
}

const NODES = 3;
const SLOTS = 16_384;
const DEADLINE_MS = 20_000;

export async function startRedisCluster(args: readonly string[] = []): Promise<RedisCluster> {
  const nodes: OwnRedis[] = [];
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  try {
    for (let at = 0; at < NODES; at += 1) {
      nodes.push(
        await startOwnRedis({ args: ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', ...args] }),
      );
    }
    const clients = nodes.map((node) => node.client());
    for (const [at, client] of clients.entries()) {
      const [from, to] = [at, at + 1].map((share) => Math.floor((share * SLOTS) / NODES));
      await client.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String((to ?? 0) - 1));
      for (const { host, port } of nodes) await client.call('CLUSTER', 'MEET', host, String(port));
    }
    const isReady = async () => {
      const infos = await Promise.all(clients.map((client) => client.call('CLUSTER', 'INFO')));
      return infos.every((info) => /cluster_state:ok/.test(String(info)) && /cluster_known_nodes:3/.test(String(info)));
    };
    await until('the cluster to be ready', isReady, DEADLINE_MS);
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes, url: `redis-cluster://${nodes.map(({ host, port }) => `${host}:${port}`).join(',')}`, stop };
}
