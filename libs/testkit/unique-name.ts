/** Names for databases, topics and prefixes that no other test file and no other run has. */
import { randomBytes } from 'node:crypto';

/** `<prefix>_<10 hex digits>`: fits identifiers, topics and Redis keys alike. */
export const uniqueName = (prefix: string): string => `${prefix}_${randomBytes(5).toString('hex')}`;
