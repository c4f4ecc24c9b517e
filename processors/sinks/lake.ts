import type { Sink, SinkStage } from '#topology';
import { topics } from '../topics.ts';

/** What the lake keeps: every record of every tier. */
export const lakeTopics = {
  bronze: [
    ...Object.values(topics.bronze.shop),
    ...Object.values(topics.bronze.app),
    ...Object.values(topics.bronze.ops),
  ],
  silver: Object.values(topics.silver),
  gold: Object.values(topics.gold),
} as const;

/** Name of the stage that carries a tier. */
export const lakeStageOf = (tier: string): string => `lake-${tier}`;

/** The sink stages that carry them there: one per tier, so that no tier waits for another's topics. */
export function lakeSinks(sink: Sink): SinkStage[] {
  return Object.entries(lakeTopics).map(([tier, topics]) => ({ name: lakeStageOf(tier), topics, sink }));
}
