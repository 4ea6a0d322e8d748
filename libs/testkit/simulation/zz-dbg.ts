import { scenarioOf } from './draw-scenario.ts';
import type { Mutation } from './mutation.ts';
import { MUTATIONS } from './mutations.ts';
import { simulate } from './simulate.ts';

const base = MUTATIONS[0] as Mutation;
let fired = 0,
  claims = 0,
  hanging = 0,
  landed = 0;
const m: Mutation = {
  ...base,
  kafka: (port, site) => {
    const p = (base.kafka as NonNullable<Mutation['kafka']>)(port, site);
    return {
      ...p,
      readMarkers: async (k, l) => {
        for (const x of l)
          if (site.memory.has(`early ${x}`)) {
            claims++;
            if (site.memory.get(`early ${x}`) !== site.kafka.marker('lane', x)) fired++;
          }
        return p.readMarkers(k, l);
      },
    };
  },
};
for (let s = 1; s <= 300; s++) {
  const sc = scenarioOf(s);
  const h = sc.faults.filter((f) => f.gate === 'before:commit' && 'until' in f && f.until);
  const o = await simulate(sc, { mutation: m, traceLines: h.length ? 10000 : 0 });
  if (h.length) {
    hanging++;
    if (o.trace.some((t) => t.includes('held back effect') && t.includes('before:commit'))) {
      landed++;
    }
  }
  if (o.violation) console.log(s, o.violation.message);
}
console.log({ fired, claims, hanging, landed });
