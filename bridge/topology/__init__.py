"""What stands on the broker: the model, our part of it, the operator's file. Pure; `bridge/amqp` declares it."""
