/** Is the id that comes next above the watermark? At or below it, nobody would ever see the row. */
import type { SourceFacts } from './facts.ts';
import { broken, databaseCheck, fine, type Judgement, unknown } from './finding.ts';

function judge({ source, watermark, nextPosition }: SourceFacts): Judgement {
  const about = `source ${source.name}`;
  if (source.mode === 'consume') return fine(about, 'rows below the watermark are looked for in mode consume');
  if (watermark === null) return fine(about, 'no writer has led it yet');
  const { position } = watermark;
  if (nextPosition === null) return unknown(about, 'the server does not say which id comes next');
  if (nextPosition > position) return fine(about, `watermark ${position}, next id ${nextPosition}`);
  return broken(
    about,
    `the next id is ${nextPosition}, the watermark ${position}: the table was emptied by TRUNCATE, made anew or restored, and rows with ids up to the watermark are not seen`,
    `a writer halts the source at its next look, every few seconds; then see what would be read again: kafka-row-sender source accept ${source.name} --dry-run`,
  );
}

export const sourcePosition = databaseCheck(
  'source-position',
  'next AUTO_INCREMENT of each source against its watermark',
  ({ sources }) => sources.map(judge),
);
