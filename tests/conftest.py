"""The fixtures that every test may ask for; a service is started when the first test asks for it."""

from tests.services.cluster import cluster, cluster_url, running_cluster
from tests.services.folder import stack_folder
from tests.services.postgres import postgres_service, postgres_url
from tests.services.rabbitmq import amqp_url, rabbitmq_node
from tests.services.temporal import client, temporal_service, time_skipping

__all__ = [
    "amqp_url",
    "client",
    "cluster",
    "cluster_url",
    "postgres_service",
    "postgres_url",
    "rabbitmq_node",
    "running_cluster",
    "stack_folder",
    "temporal_service",
    "time_skipping",
]
