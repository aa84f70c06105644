"""Tests of what the bridge does with RabbitMQ."""
