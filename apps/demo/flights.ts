/**
 * The demo's data: 200,000 flights of the package `vega-datasets`. That file gives distance, delay and time of departure of
 * each flight but not its airports; they are those of a flight of the same distance (or the nearest) in the package's file
 * of 20,000 flights, which has them.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { LoadRow, LoadSupply } from '#testkit';

export const TABLE = 'flights';
export const KEY_COLUMN = 'Origin';
export const SEQUENCE_COLUMN = 'OriginSequence';
export const COLUMNS = [
  'FlightNumber',
  'Origin',
  'Destination',
  SEQUENCE_COLUMN,
  'DepartsAt',
  'DelayMinutes',
  'DistanceMiles',
] as const;

export const TABLE_SQL = `CREATE TABLE \`${TABLE}\` (
  \`WatermarkId\` BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  \`FlightNumber\` INT NOT NULL COMMENT 'line of the data set',
  \`Origin\` CHAR(3) NOT NULL,
  \`Destination\` CHAR(3) NOT NULL,
  \`${SEQUENCE_COLUMN}\` INT NOT NULL COMMENT 'number among the flights of its origin',
  \`DepartsAt\` TIME NOT NULL,
  \`DelayMinutes\` SMALLINT NOT NULL,
  \`DistanceMiles\` SMALLINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4`;

interface Flight {
  readonly delay: number;
  readonly distance: number;
  /** Hours since midnight. */
  readonly time: number;
}

interface Route {
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
}

function readDataSet<T>(file: string): T[] {
  // The package's own entry lies in its folder `build`, beside the folder `data`.
  const entry = createRequire(import.meta.url).resolve('vega-datasets');
  return JSON.parse(readFileSync(join(dirname(entry), '..', 'data', file), 'utf8')) as T[];
}

function routesByDistance(): (distance: number, number: number) => Route {
  const routes = new Map<number, Route[]>();
  for (const route of readDataSet<Route>('flights-20k.json')) {
    const known = routes.get(route.distance);
    if (known === undefined) routes.set(route.distance, [route]);
    else known.push(route);
  }
  const distances = [...routes.keys()];
  const nearest = (distance: number): Route[] => {
    const found = routes.get(distance);
    if (found !== undefined) return found;
    const near = distances.reduce((best, each) =>
      Math.abs(each - distance) < Math.abs(best - distance) ? each : best,
    );
    const same = routes.get(near) as Route[];
    routes.set(distance, same);
    return same;
  };
  return (distance, number) => {
    const candidates = nearest(distance);
    return candidates[number % candidates.length] as Route;
  };
}

function clockTime(hours: number): string {
  const minutes = Math.round(hours * 60) % (24 * 60);
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}:00`;
}

/** `rows` flights (the data set again from its start when it is too short), shared out so that each origin has one connection. */
export function flightSupplies(rows: number, connections: number): LoadSupply[] {
  const flights = readDataSet<Flight>('flights-200k.json');
  const routeOf = routesByDistance();
  const byOrigin = new Map<string, LoadRow[]>();
  for (let number = 1; number <= rows; number += 1) {
    const flight = flights[(number - 1) % flights.length] as Flight;
    const { origin, destination } = routeOf(flight.distance, number);
    const row: LoadRow = {
      key: origin,
      values: (sequence) => [
        ...[number, origin, destination, sequence],
        ...[clockTime(flight.time), flight.delay, flight.distance],
      ],
    };
    const known = byOrigin.get(origin);
    if (known === undefined) byOrigin.set(origin, [row]);
    else known.push(row);
  }
  return shareOut([...byOrigin.values()], connections);
}

/** The largest first, each to the connection that has the least to do so far. */
function shareOut(origins: LoadRow[][], connections: number): LoadSupply[] {
  const shares: { rows: number; origins: LoadRow[][] }[] = Array.from({ length: connections }, () => ({
    rows: 0,
    origins: [],
  }));
  for (const rows of origins.toSorted((a, b) => b.length - a.length)) {
    const least = shares.reduce((best, share) => (share.rows < best.rows ? share : best));
    least.rows += rows.length;
    least.origins.push(rows);
  }
  return shares.map((share) => inTurn(share.origins));
}

/** A row of each origin in turn, so that one statement holds several keys. */
function inTurn(origins: LoadRow[][]): LoadSupply {
  const queues = origins.map((rows) => ({ rows, at: 0 }));
  let turn = 0;
  return {
    next: () => {
      while (queues.length > 0) {
        turn %= queues.length;
        const queue = queues[turn] as { rows: LoadRow[]; at: number };
        const row = queue.rows[queue.at];
        if (row === undefined) {
          queues.splice(turn, 1);
          continue;
        }
        queue.at += 1;
        turn += 1;
        return row;
      }
      return null;
    },
  };
}
