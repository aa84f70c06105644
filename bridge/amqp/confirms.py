"""Publish one message and know that the broker has it.

Three answers are no success: the broker sent the message back because no queue takes it, it refused it (a full
queue), or it said nothing in time. The last also happens when two messages with one id are in flight on a channel,
so there is always a limit.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from aio_pika import Message
from aio_pika.abc import AbstractExchange
from aio_pika.exceptions import DeliveryError, PublishError

from bridge.amqp.connection import LOST
from bridge.errors import PublishUnconfirmedError, SessionLostError, UnroutableEventError


async def publish_confirmed(exchange: AbstractExchange, message: Message, routing_key: str, limit: timedelta) -> None:
    """Publish on a channel with confirms and `on_return_raises`.

    Raises:
        UnroutableEventError: No queue is bound that takes it.
        PublishUnconfirmedError: The broker refused it, or did not confirm in time; the channel should be given up then.
        SessionLostError: The connection or channel is lost.
    """
    try:
        async with asyncio.timeout(limit.total_seconds()):
            await exchange.publish(message, routing_key, mandatory=True)
    except TimeoutError as error:
        raise PublishUnconfirmedError(f"No answer within {limit.total_seconds():g} s.") from error
    except PublishError as error:
        raise UnroutableEventError(f"{exchange.name}, {routing_key}") from error
    except DeliveryError as error:
        raise PublishUnconfirmedError("It was refused; is a queue full?") from error
    except LOST as error:
        raise SessionLostError(str(error)) from error
