/** How ids are given out: steps above 1 make gaps the rule. */
import { databaseCheck, fine, risky } from './finding.ts';

export const autoIncrement = databaseCheck(
  'auto-increment',
  'auto_increment_increment, innodb_autoinc_lock_mode',
  ({ server }) => {
    const { autoIncrementIncrement: step, autoIncrementOffset: offset } = server.engine;
    const mode = server.variables.get('innodb_autoinc_lock_mode');
    const says = `step ${step}, offset ${offset}${mode === undefined ? '' : `, innodb_autoinc_lock_mode ${mode}`}`;
    if (step === 1) return [fine('', says)];
    return [
      risky(
        '',
        `${says}: every id in between is missing, and is kept as a gap until it closes; evenly spaced gaps cost little`,
        'SET GLOBAL auto_increment_increment = 1 where only one server takes writes',
      ),
    ];
  },
);
