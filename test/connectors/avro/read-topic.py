"""Prints a topic as Confluent's own client sees it with read_committed: its records, and the subjects of the registry, as JSON."""
import json
import sys
import time

from confluent_kafka import DeserializingConsumer, KafkaError, TopicPartition
from confluent_kafka.error import ConsumeError
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer

brokers, registry_url, topic = sys.argv[1:]
registry = SchemaRegistryClient({"url": registry_url})
consumer = DeserializingConsumer(
    {
        "bootstrap.servers": brokers,
        "group.id": f"{topic}-reader",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "key.deserializer": lambda data, _: None if data is None else data.decode(),
        "value.deserializer": AvroDeserializer(registry),
    }
)
partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
consumer.assign([TopicPartition(topic, each, 0) for each in partitions])
records, open_partitions, deadline = [], set(partitions), time.time() + 30
while open_partitions:
    if time.time() > deadline:
        sys.exit(f"partitions {open_partitions} of {topic} did not end")
    try:
        message = consumer.poll(1)
    except ConsumeError as error:
        if error.code != KafkaError._PARTITION_EOF:
            raise
        open_partitions.discard(error.kafka_message.partition())
        continue
    if message is None:
        continue
    records.append(
        {
            "partition": message.partition(),
            "offset": message.offset(),
            "timestamp": message.timestamp()[1],
            "key": message.key(),
            "value": message.value(),
        }
    )
consumer.close()
print(json.dumps({"records": records, "subjects": registry.get_subjects()}, default=str))
