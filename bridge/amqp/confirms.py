"""Publish one message and know that the broker has it.

Three answers are no success: the broker sent the message back because no queue takes it, it refused it (a full
queue), or it said nothing in time. The last also happens when two messages with one id are in flight on a channel,
so there is always a limit. A refusal says that the channel is well; after silence it is to be given up.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from aio_pika import Message
from aio_pika.abc import AbstractExchange
from aio_pika.exceptions import DeliveryError, PublishError

from bridge.amqp.connection import losing
from bridge.amqp.copies import UNWRITABLE
from bridge.errors import PublishUnconfirmedError, UnroutableEventError
from contracts.ports import UnfitEventError


class PublishRefusedError(PublishUnconfirmedError):
    """RabbitMQ refused a message; look for a queue that is full, and for consumers that are too slow or away."""

    code = "publish-refused"


async def publish_confirmed(exchange: AbstractExchange, message: Message, routing_key: str, limit: timedelta) -> None:
    """Publish on a channel with confirms and `on_return_raises`.

    Raises:
        UnroutableEventError: No queue is bound that takes it.
        PublishRefusedError: The broker refused it; the channel is well.
        PublishUnconfirmedError: It did not confirm in time; the channel should be given up then.
        SessionLostError: The connection or channel is lost.
        UnfitEventError: It cannot be written down; nothing was sent.
    """
    with losing():
        try:
            async with asyncio.timeout(limit.total_seconds()):
                await exchange.publish(message, routing_key, mandatory=True)
        except TimeoutError as error:
            raise PublishUnconfirmedError(f"No answer within {limit.total_seconds():g} s.") from error
        except PublishError as error:
            raise UnroutableEventError(f"{exchange.name}, {routing_key}") from error
        except DeliveryError as error:
            raise PublishRefusedError(f"{exchange.name}, {routing_key}") from error
        except UNWRITABLE as error:
            raise UnfitEventError(f"It cannot be written as an AMQP message: {error}.") from error
