/** What a caller is told when its call fails at a gate. */
import { type ErrorCode, RelayError } from '#runtime';
import type { Dice } from './chance.ts';
import type { PortName } from './scenario.ts';

/** `effective`: the effect may have happened, which matters for what a commit says. */
export function faultOf(port: PortName, name: string, effective: boolean, dice: Dice): RelayError {
  const code = codeOf(port, name, effective, dice);
  return new RelayError(code, `simulated fault at ${name}`);
}

function codeOf(port: PortName, name: string, effective: boolean, dice: Dice): ErrorCode {
  if (port === 'kafka') {
    if (name.endsWith('commit')) return 'KAFKA_OUTCOME_UNKNOWN';
    return dice.pick(['KAFKA_UNREACHABLE', 'KAFKA_UNREACHABLE', 'DEADLINE_EXCEEDED', 'KAFKA_FENCED']);
  }
  if (port === 'source') return dice.pick(['DB_UNREACHABLE', 'DB_TRANSIENT', 'DEADLINE_EXCEEDED']);
  if (effective) return dice.pick(['DB_COMMIT_UNKNOWN', 'DB_COMMIT_UNKNOWN', 'DB_UNREACHABLE', 'DEADLINE_EXCEEDED']);
  return dice.pick(['DB_UNREACHABLE', 'DB_TRANSIENT', 'DB_COMMIT_UNKNOWN', 'DEADLINE_EXCEEDED']);
}
