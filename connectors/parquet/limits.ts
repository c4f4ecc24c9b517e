/** Rows of a row group: bounds what is in memory while files are merged, and how long the process does nothing else. */
export const ROW_GROUP_ROWS = 20_000;
