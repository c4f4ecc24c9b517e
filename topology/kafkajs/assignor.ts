import type { Assigner, PartitionAssigner } from 'kafkajs';
import { InvariantError } from '../errors.ts';
import { assignPartitions, type MemberInfo } from '../runtime/assign-partitions.ts';
import type { GroupMember, JoinOptions } from '../runtime/kafka-client.ts';
import { requireKafkajs } from './patches/replace-module.ts';

interface MetadataCodec {
  encode(metadata: { version: number; topics: string[]; userData?: Buffer }): Buffer;
  decode(bytes: Buffer): { topics: string[]; userData: Buffer } | null;
}

interface AssignmentCodec {
  encode(assignment: { version: number; assignment: Record<string, number[]> }): Buffer;
  decode(bytes: Buffer): { assignment: Record<string, number[]> } | null;
}

function codecs(): { readonly MemberMetadata: MetadataCodec; readonly MemberAssignment: AssignmentCodec } {
  return requireKafkajs('kafkajs/src/consumer/assignerProtocol') as {
    MemberMetadata: MetadataCodec;
    MemberAssignment: AssignmentCodec;
  };
}

/** Options of `slotAssigner`. */
export interface SlotAssignerOptions {
  readonly epoch: string;
  /** What this member owns now. */
  owned(): readonly number[];
  /** As in JoinOptions. */
  readonly standby: JoinOptions['standby'];
  /** Called on the group's leader with the other epochs that it saw. */
  onOtherEpochs(epochs: readonly string[]): void;
}

const VERSION = 1;

/** The assignor of slots for kafkajs: partition p of every topic goes to one member. */
export function slotAssigner(options: SlotAssignerOptions): PartitionAssigner {
  const { MemberMetadata, MemberAssignment } = codecs();
  return ({ cluster }): Assigner => ({
    name: 'sluice-slots',
    version: VERSION,
    protocol: ({ topics }) => ({
      name: 'sluice-slots',
      metadata: MemberMetadata.encode({
        version: VERSION,
        topics,
        userData: Buffer.from(JSON.stringify(toldBy(options))),
      }),
    }),
    assign: ({ members, topics }) => {
      const counts = new Map(topics.map((topic) => [topic, cluster.findTopicPartitionMetadata(topic).length]));
      const infos = members.map(({ memberId, memberMetadata }) =>
        infoOf(memberId, MemberMetadata.decode(memberMetadata)),
      );
      options.onOtherEpochs([...new Set(infos.map(({ epoch }) => epoch))].filter((epoch) => epoch !== options.epoch));
      const assigned = assignPartitions(infos, options.epoch, Math.max(0, ...counts.values()));
      return Promise.resolve(
        infos.map(({ memberId, topics: subscribed }) => {
          const partitions = assigned.get(memberId) ?? [];
          const assignment = Object.fromEntries(
            subscribed.map((topic) => [topic, partitions.filter((partition) => partition < (counts.get(topic) ?? 0))]),
          );
          return { memberId, memberAssignment: MemberAssignment.encode({ version: VERSION, assignment }) };
        }),
      );
    },
  });
}

/** A member as the group's description has it. */
export function memberOf(memberId: string, metadata: Buffer, assignment: Buffer): GroupMember {
  const { MemberMetadata, MemberAssignment } = codecs();
  const { epoch, standby = 0, copies = [], place } = infoOf(memberId, MemberMetadata.decode(metadata));
  const assigned = assignment.length === 0 ? {} : (MemberAssignment.decode(assignment)?.assignment ?? {});
  const partitions = [...new Set(Object.values(assigned).flat())].toSorted((a, b) => a - b);
  return { memberId, epoch, partitions, standby, copies, place };
}

function infoOf(memberId: string, metadata: ReturnType<MetadataCodec['decode']>): MemberInfo {
  if (metadata === null)
    throw new InvariantError('SLC_BUG_ASSIGNOR', `member ${memberId} of the group tells nothing about itself`);
  const told = JSON.parse(metadata.userData.toString() || '{}') as Readonly<Record<string, unknown>>;
  const standby = typeof told['standby'] === 'number' ? told['standby'] : 0;
  const [owned, copies] = [integersOf(told['owned']), integersOf(told['copies'])];
  const place = typeof told['place'] === 'string' ? told['place'] : undefined;
  return { memberId, topics: metadata.topics, epoch: String(told['epoch']), owned, standby, copies, place };
}

/** Without standby, what versions before it told. */
function toldBy(options: SlotAssignerOptions): Readonly<Record<string, unknown>> {
  const { epoch, standby } = options;
  const told = { epoch, owned: options.owned() };
  return standby === undefined
    ? told
    : { ...told, standby: standby.count, copies: standby.copies(), place: standby.place };
}

function integersOf(told: unknown): number[] {
  return Array.isArray(told) ? told.filter((each): each is number => Number.isInteger(each)) : [];
}
