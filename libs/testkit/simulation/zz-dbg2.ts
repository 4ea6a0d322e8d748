import { scenarioOf } from './draw-scenario.ts';
import { simulate } from './simulate.ts';

let shown = 0;
for (let s = 1; s <= 400 && shown < 3; s++) {
  const sc = scenarioOf(s);
  const h = sc.faults.filter(
    (f) => f.gate === 'before:commit' && f.kind === 'crash' && f.until && f.until !== 'before:open' && f.ms === 4000,
  );
  if (!h.length) continue;
  const o = await simulate(sc, { traceLines: 10000 });
  const at = o.trace.findIndex((t) => t.includes('before:commit (crash)'));
  if (at < 0) {
    console.log(s, 'never struck', JSON.stringify(h));
    continue;
  }
  shown++;
  console.log(s, JSON.stringify(h));
  console.log(
    o.trace
      .slice(at)
      .filter((t) => /commit|claim|fence|kill|starts|lane-|held back|session|moment|SIGT/.test(t))
      .slice(0, 30)
      .join('\n'),
  );
}
