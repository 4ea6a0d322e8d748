/** The fault of naming a lane that is not there. */
import { RelayError } from '#runtime';

export function noSuchLane(number: number, lanes: number): RelayError {
  const known = lanes === 0 ? 'no writer has registered a source yet' : `the lanes are 0 to ${lanes - 1}`;
  return new RelayError('CONFIG_INVALID', `there is no lane ${number}: ${known}`);
}
