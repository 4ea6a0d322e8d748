/** Arguments of the command line, refused with one clear line. */
import { InvalidArgumentError } from 'commander';

const SECONDS_MAX = 86_400;

/** Parser of an integer option or argument within bounds. */
export function integerBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Give an integer from ${min} to ${max}.`);
  };
}

/** Seconds as users write them, decimals allowed; milliseconds as we use them. */
export function secondsAsMs(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value <= SECONDS_MAX) return Math.round(value * 1000);
  throw new InvalidArgumentError(`Give seconds from 0 to ${SECONDS_MAX}.`);
}

/** Kafka's own rule for the name of a topic. */
const TOPIC_NAME = /^[A-Za-z0-9._-]{1,249}$/;

/** Topics, as the option is repeated. */
export function topicName(value: string, before: readonly string[] = []): readonly string[] {
  if (!TOPIC_NAME.test(value) || value === '.' || value === '..') {
    throw new InvalidArgumentError('Not a name of letters, digits, . _ and -, at most 249.');
  }
  return [...before, value];
}
