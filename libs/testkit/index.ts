/** For tests only: servers of their own, fakes of the ports, contract suites that run on the fake and on the real thing. */
export { freePort, type OwnRedis, startOwnRedis } from './own-redis.ts';
