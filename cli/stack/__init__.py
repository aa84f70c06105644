"""The embedded stack: Temporal, PostgreSQL and RabbitMQ for one machine, started when nothing better is there."""
