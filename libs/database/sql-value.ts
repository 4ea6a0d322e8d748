/** Values for the placeholders of a statement. */

/** What may stand for a placeholder. An array becomes a list, an array of arrays a list of row values (text protocol only). */
export type SqlValue = string | number | bigint | boolean | null | Buffer | readonly SqlValue[];
