"""Every action there is, in one list.

A new action is a typed function in a module of this package and one entry here: the compiler, the worker, the
documentation and the completion all read this list.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from activities import agents, data, events, http, shop, webhooks
from activities.action import Action
from activities.execution import absent_action, temporal_activity
from activities.resources import Resources
from contracts.actions import ActionSpec
from contracts.json import Json

ACTIONS: Final[tuple[Action[Any, Any], ...]] = (
    http.http_request,
    webhooks.webhook_send,
    events.event_publish,
    data.data_validate,
    data.data_transform,
    agents.validate_agent_input,
    agents.create_agent_record,
    agents.rollback_agent_creation,
    agents.initialize_knowledge_base,
    agents.initialize_pattern_store,
    agents.send_creation_notification,
    shop.inventory_reserve,
    shop.inventory_release,
    shop.payment_charge,
    shop.payment_refund,
    shop.sales_summary,
    shop.shipment_create,
    shop.shipment_cancel,
)


def catalog(actions: tuple[Action[Any, Any], ...] = ACTIONS) -> Mapping[str, ActionSpec]:
    """Return what the compiler knows of each action, by name."""
    return {action.name: action.spec() for action in actions}


def temporal_activities(
    resources: Resources, actions: tuple[Action[Any, Any], ...] = ACTIONS
) -> list[Callable[..., Awaitable[Json]]]:
    """Return the Temporal activities of a worker that has `resources`, each under its action's name, and the one that
    gives back what the worker lacks."""
    return [*(temporal_activity(action, resources) for action in actions), absent_action()]
