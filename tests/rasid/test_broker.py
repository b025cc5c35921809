"""The brokers that tests, drills and the demo start are real ones."""

from kafka import KafkaAdminClient

from rasid.demo.broker import Brokers


def described(brokers: Brokers) -> list[int]:
    admin = KafkaAdminClient(bootstrap_servers=brokers.addresses.split(","))
    try:
        return sorted(node["port"] for node in admin.describe_cluster()["brokers"])
    finally:
        admin.close()


def test_one_node_answers_on_its_port(broker: Brokers) -> None:
    assert described(broker) == [broker.nodes[0].port]


def test_three_nodes_are_one_cluster(three_brokers: Brokers) -> None:
    assert described(three_brokers) == sorted(node.port for node in three_brokers.nodes)
