/** Where positions are read. */
export interface PositionColumn {
  /** `FROM .. FORCE INDEX ..`. */
  readonly from: string;
  /** The column, quoted. */
  readonly column: string;
}
