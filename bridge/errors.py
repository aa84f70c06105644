"""What goes wrong between the broker and Temporal.

Permanent errors end in the dead-letter queue (or, at start, end the bridge with a plain message); temporary ones
are tried again.
"""

from __future__ import annotations

from contracts.errors import PermanentError, TemporaryError


class MalformedEventError(PermanentError):
    """The message is no event; correct its producer."""

    code = "malformed-event"


class TriggerFailedError(PermanentError):
    """A trigger cannot be evaluated for this event; correct the trigger or the event."""

    code = "trigger-failed"


class EffectUnknownError(PermanentError):
    """What the event did may be on record in a day that is archived; restore that day, then retry or replay it."""

    code = "effect-unknown"


class GaveUpError(PermanentError):
    """The event failed too often; look at the reason, then replay it."""

    code = "gave-up"


class InternalError(PermanentError):
    """This is our failure, not the event's: mend what it names, or upgrade, then `saga dlq retry` the event."""

    code = "internal-error"


class EventTooLargeError(PermanentError):
    """The event is too large for the bus; send a reference to the data instead."""

    code = "event-too-large"


class UnroutableEventError(PermanentError):
    """No queue takes the event, nor does the one for unrouted events; restart the bridge, which declares them."""

    code = "unroutable-event"


class BrokerRefusedError(PermanentError):
    """RabbitMQ refuses us; check the user, the password, the virtual host and the permissions."""

    code = "broker-refused"


class BrokerTooOldError(PermanentError):
    """RabbitMQ is too old for quorum queues that keep dead letters safe; use 3.10 or later."""

    code = "broker-too-old"


class TopologyMismatchError(PermanentError):
    """A queue or exchange is otherwise on the broker; `saga topology diff` says which: empty and delete it."""

    code = "topology-mismatch"


class SessionLostError(TemporaryError):
    """The consumer was cut off."""

    code = "session-lost"


class PublishUnconfirmedError(TemporaryError):
    """RabbitMQ did not confirm a message; it may have been stored all the same."""

    code = "publish-unconfirmed"
