"""The Python package retriable-kafka-client at work, for the interoperation test. One JSON line for each thing it did."""
import json
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from retriable_kafka_client import BaseConsumer, BaseProducer, ConsumerConfig, ConsumeTopicConfig, ProducerConfig

# It logs whole messages, which are large here.
logging.disable(logging.CRITICAL)
settings = json.loads(sys.argv[1])
connection = {
    "kafka_hosts": settings["brokers"],
    "username": "",
    "password": "",
    "additional_settings": {"security.protocol": "PLAINTEXT", "log_level": 3},
}


def produce():
    producer = BaseProducer(ProducerConfig(topics=[settings["topic"]], split_messages=True, **connection))
    producer.send_sync({"text": settings["letter"] * settings["length"]}, headers={"id": "from-python"})
    producer.close()
    print(json.dumps({"msg": "sent"}), flush=True)


def consume():
    def target(message):
        text = message["text"]
        print(json.dumps({"msg": "handled", "letter": text[0], "length": len(text)}), flush=True)
        if settings["fail"]:
            raise RuntimeError("told to fail")

    topic = ConsumeTopicConfig(
        base_topic=settings["topic"], retry_topic=settings["retryTopic"], retries=5, fallback_delay=2.0
    )
    config = ConsumerConfig(group_id=settings["groupId"], target=target, topics=[topic], **connection)
    consumer = BaseConsumer(config, ThreadPoolExecutor(2))
    # Told to end by the end of its input.
    threading.Thread(target=lambda: (sys.stdin.read(), consumer.stop()), daemon=True).start()
    consumer.run()


{"produce": produce, "consume": consume}[settings["task"]]()
