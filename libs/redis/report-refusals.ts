/** One log line when Redis begins to refuse a command, one when it takes it again, however many times it was refused between. */
import type { Logger } from '#runtime';
import { redisRemedy } from './redis-remedy.ts';

export interface RefusalReport {
  /** `code`: of the refusal, such as NOPERM. */
  refused(command: string, code: string): void;
  taken(command: string): void;
}

/** `effect`: what does not work meanwhile, and what stands in for it. */
export function reportRefusals(use: string, effect: string, logger: Logger): RefusalReport {
  const refusals = new Map<string, { code: string; count: number }>();
  return {
    refused: (command, code) => {
      const before = refusals.get(command);
      refusals.set(command, { code, count: (before?.count ?? 0) + 1 });
      if (before?.code === code) return;
      const facts = { event: 'redis-refuses', use, command, code };
      logger.warn(facts, `Redis refuses ${command}: ${redisRemedy(code)}; ${effect}`);
    },
    taken: (command) => {
      const before = refusals.get(command);
      if (before === undefined) return;
      refusals.delete(command);
      logger.info({ event: 'redis-takes', use, command, refused: before.count }, `Redis takes ${command} again`);
    },
  };
}
