"""RabbitMQ: connections, topology, consuming, acknowledging, publishing."""
