"""The table of hooks that this service answers, and the discovery document rendered from it.

One row a hook: where its orders stand, what it asks clients to prefetch. Ids are those of the HL7 reference
implementation, so that clients set up for it work.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

#: CRD versions answered, as "major.minor" (CRD 2.2.1 dev-1, dev-2). A request without a version means the first.
CRD_VERSIONS = ("2.0", "2.2")
CrdVersion = Literal["2.0", "2.2"]

_COVERAGE = "Coverage?patient={{context.patientId}}&status=active"


class Hook(msgspec.Struct, frozen=True):
    """One CDS Hooks service: its id in the URL, its hook, and where that hook's orders are found."""

    service_id: str
    name: str
    title: str
    description: str
    orders_in: Literal["draftOrders", "selections", "dispatchedOrders", "appointments"]
    prefetch: dict[str, str]

    @property
    def by_reference(self) -> bool:
        """Does the context only refer to the orders, so that they come from prefetch or by a read?"""
        return self.orders_in in ("dispatchedOrders", "appointments")


class ConfigurationOption(msgspec.Struct, frozen=True):
    """A boolean option that a client may set in a request (CRD ``davinci-crd.configuration-options``)."""

    code: str
    name: str
    description: str
    default: bool = True


CONFIGURATION_OPTIONS = (
    ConfigurationOption(
        "coverage-info",
        "Coverage information",
        "Writes what the plan says of coverage onto the order. Off: neither that nor a card is returned.",
    ),
    ConfigurationOption(
        "guideline",
        "Policy card",
        "Shows a card with what the plan says, on whose authority, and what can be done.",
    ),
)

_ABOUT = (
    "Recognises orders whose coverage is decided by a medical policy of the plan, such as MR neurography under "
    "Blue Advantage, and says what the plan holds on the date of service and on whose authority."
)

HOOKS: dict[str, Hook] = {
    hook.service_id: hook
    for hook in (
        Hook(
            "order-sign-crd",
            "order-sign",
            "Coverage requirements when orders are signed",
            _ABOUT,
            "draftOrders",
            {"coverage": _COVERAGE},
        ),
        Hook(
            "order-select-crd",
            "order-select",
            "Coverage requirements when an order is selected",
            f"{_ABOUT} Looks at the selected orders only.",
            "selections",
            {"coverage": _COVERAGE},
        ),
        Hook(
            "order-dispatch-crd",
            "order-dispatch",
            "Coverage requirements when an order is sent to a performer",
            f"{_ABOUT} Looks at the dispatched orders only.",
            "dispatchedOrders",
            {
                "coverage": _COVERAGE,
                "serviceRequests": "ServiceRequest?_id={{context.dispatchedOrders.resolve().ofType(ServiceRequest).id}}",
            },
        ),
        Hook(
            "appointment-book-crd",
            "appointment-book",
            "Coverage requirements when an appointment is booked",
            f"{_ABOUT} Looks at the orders that the appointments are based on.",
            "appointments",
            {
                "coverage": _COVERAGE,
                "serviceRequests": (
                    "ServiceRequest?_id={{context.appointments.entry.resource.basedOn.resolve().ofType(ServiceRequest).id}}"
                ),
            },
        ),
    )
}

#: The hooks themselves; a request that names another is refused.
HOOK_NAMES = frozenset(hook.name for hook in HOOKS.values())


def discovery() -> dict[str, Any]:
    """Render the answer to ``GET /cds-services`` (CDS Hooks 2.0 "Discovery"; CRD 2.2.1 dev-1, dev-4 to dev-10)."""
    extension = {
        "davinci-crd.version": list(CRD_VERSIONS),
        "davinci-crd.configuration-options": [
            {
                "code": option.code,
                "type": "boolean",
                "name": option.name,
                "description": option.description,
                "default": option.default,
            }
            for option in CONFIGURATION_OPTIONS
        ],
    }
    return {
        "services": [
            {
                "id": hook.service_id,
                "hook": hook.name,
                "title": hook.title,
                "description": hook.description,
                "prefetch": hook.prefetch,
                "extension": extension,
            }
            for hook in HOOKS.values()
        ]
    }
