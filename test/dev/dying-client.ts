/** A client whose process dies by SIGKILL between what was sent and its commit. */
import type { KafkaClient } from '#topology';

/** At commit number `nth`, counted over all producers. */
export function dyingClient(client: KafkaClient, nth: number): KafkaClient {
  let commits = 0;
  return {
    ...client,
    admin: () => client.admin(),
    reader: (options) => client.reader(options),
    join: (options) => client.join(options),
    producer: async (options) => {
      const producer = await client.producer(options);
      const commit = producer.commit.bind(producer);
      producer.commit = async () => {
        commits++;
        if (commits === nth) process.kill(process.pid, 'SIGKILL');
        await commit();
      };
      return producer;
    },
  };
}
