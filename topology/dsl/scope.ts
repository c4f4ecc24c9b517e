/** What is going on around an operator while it is applied: a stage being built, or a record being processed. For good error messages only. */
export const scope: { building: string | undefined; task: string | undefined } = {
  building: undefined,
  task: undefined,
};
