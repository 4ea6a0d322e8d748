/** Rank 0: errors, time, chance, backoff, deadlines, logging and crash points. Imports nothing of ours. */
export { addressText } from './address.ts';
export { type BackoffLimits, backoffMs } from './backoff.ts';
export { causeOf } from './cause-of.ts';
export { backgroundClock, type Clock, type Random, systemClock, systemRandom } from './clock.ts';
export { crashPoint } from './crash-point.ts';
export { withDeadline } from './deadline.ts';
export { describeThrown, isError, isOfClass, propertyOf, type ThrownFacts } from './describe-thrown.ts';
export {
  asRelayError,
  type ErrorCode,
  EXIT,
  type ExitCode,
  type LastingCode,
  RelayError,
  type Verdict,
} from './errors.ts';
export { createLogger, type Logger, type LoggerOptions, type LogLevel, silentLogger } from './logger.ts';
export { nextTurn } from './next-turn.ts';
export { type LastFault, Progress } from './progress.ts';
export {
  type ParsedRedisAddress,
  parseRedisAddress,
  REDIS_ADDRESS_TYPE,
  type RedisAddress,
  type RedisNode,
  showRedisAddress,
} from './redis-address.ts';
export { nameInId, serverNameFault, unquotedName } from './server-name.ts';
export { explainStall, readStalls, type Stall, whyStanding, writeStalls } from './stall.ts';
export { isStallCause, STALL_CAUSES, type StallCause, type StallFacts } from './stall-causes.ts';
export { type TlsSide, tlsAdvice } from './tls-advice.ts';
