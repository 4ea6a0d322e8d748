/** The metrics as a table, from the code that makes them. */
import { Registry } from 'prom-client';
import { createFaultMetrics } from './fault-metrics.ts';
import { createInstruments } from './instruments.ts';
import { createSenderMetrics } from './sender-metrics.ts';
import { createStallMetrics } from './stall-metrics.ts';
import { createWriterMetrics } from './writer-metrics.ts';

/** What a prom-client metric knows of itself, beyond what its types say. */
interface Described {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames: readonly string[];
}

/** Markdown: name, kind, labels, who shows it, meaning; in the order in which the code makes them. */
export function metricsTable(): string {
  const shared = new Registry();
  const faults = createFaultMetrics(createInstruments(shared), { writer: true, sender: true });
  createStallMetrics(createInstruments(shared), { writer: true, sender: true });
  const writer = new Registry();
  createWriterMetrics(createInstruments(writer), faults);
  const sender = new Registry();
  createSenderMetrics(createInstruments(sender), faults);
  const rows = [...rowsOf(writer, 'writer'), ...rowsOf(sender, 'sender'), ...rowsOf(shared, 'both')];
  return ['| Metric | Kind | Labels | Of | Meaning |', '|---|---|---|---|---|', ...rows].join('\n');
}

function rowsOf(registry: Registry, role: string): readonly string[] {
  return (registry.getMetricsAsArray() as unknown as readonly Described[]).map(({ name, help, type, labelNames }) => {
    const labels = labelNames.map((label) => `\`${label}\``).join(', ');
    return `| \`${name}\` | ${type} | ${labels || '-'} | ${role} | ${help} |`;
  });
}
