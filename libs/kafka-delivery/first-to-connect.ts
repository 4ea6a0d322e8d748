/** Connects to the first of several brokers that can be had: one that swallows everything costs a head start, and no deadline. */
import type { Clock } from '#runtime';
import type { BrokerLink } from './broker-link.ts';

/** How long each one is alone before the next is tried beside it. */
const HEAD_START_MS = 250;

/**
 * `links` in the order of preference; at least one. Those still connecting when another has connected are left to their own
 * deadline, and to whoever closes them. Rejects with the last fault when none can be had.
 */
export async function firstToConnect(
  links: readonly BrokerLink[],
  clock: Clock,
  onOutcome: (link: BrokerLink, answered: boolean) => void,
): Promise<BrokerLink> {
  const connected = new AbortController();
  // A failure starts the next one at once.
  let failed = new AbortController();
  let fault: unknown;
  const attempts: Promise<BrokerLink | null>[] = [];
  const attempt = async (link: BrokerLink): Promise<BrokerLink | null> => {
    try {
      await link.connect();
      onOutcome(link, true);
      connected.abort();
      return link;
    } catch (error) {
      onOutcome(link, false);
      fault = error;
      return null;
    } finally {
      failed.abort();
    }
  };
  for (const link of links) {
    failed = new AbortController();
    attempts.push(attempt(link));
    if (link !== links.at(-1)) await clock.sleep(HEAD_START_MS, failed.signal);
    if (connected.signal.aborted) break;
  }
  return new Promise((resolve, reject) => {
    for (const each of attempts) void each.then((link) => link !== null && resolve(link));
    void Promise.all(attempts).then((links) => links.every((link) => link === null) && reject(fault));
  });
}
