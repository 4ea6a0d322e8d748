/** The handler of the proof, for members in processes of their own and in the test's: effects go through the inbox. */
import type { Pool } from 'mysql2/promise';
import { transactOnce } from '#inbox';
import type { Handler } from './index.ts';

export interface Attempt {
  readonly msg: 'attempt';
  readonly number: number;
  readonly attempt: number;
  readonly atMs: number;
}

export interface ProofHandlerOptions {
  readonly pool: Pool;
  readonly alwaysFails: number;
  readonly failsFirst: number;
  readonly log: (attempt: Attempt) => void;
}

export function createProofHandler({ pool, alwaysFails, failsFirst, log }: ProofHandlerOptions): Handler {
  return async (message) => {
    const number = Number(message.value);
    log({ msg: 'attempt', number, attempt: message.attempt, atMs: Date.now() });
    if (number % alwaysFails === 7) throw new Error('always');
    if (number % failsFirst === 0 && message.attempt === 0) throw new Error('the first time');
    const values = [number, String(message.key)];
    await transactOnce(pool, String(message.headers.id), (tx) =>
      tx.query('INSERT INTO effects (event, name) VALUES (?)', [values]),
    );
  };
}
