/** What a connection is once it is open: to one server (perhaps found by its sentinels), or to a cluster. */
import type { Cluster, Redis } from 'ioredis';

export type RedisClient = Redis | Cluster;
