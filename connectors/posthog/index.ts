export { createPostHogSink } from './sink.ts';
export type { PostHogEvent, PostHogSinkOptions } from './types.ts';
