/** Rank 2: tells people what the relay cannot mend alone, by callback and webhook. Hints: a lost one changes nothing. */
export { createNotifier, type Notifier, type NotifierOptions } from './create-notifier.ts';
export type { Notification } from './notification.ts';
