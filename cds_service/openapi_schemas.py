"""The JSON schemas of the OpenAPI document: what the parsers accept, and what the renderers write.

They say what is read, no more: anything else in a request is passed over, so nothing is forbidden that real clients send.
"""

from __future__ import annotations

from typing import Any

from cds_service.crd.hook_contexts import MAX_ORDERS
from cds_service.crd.hooks import CONFIGURATION_OPTIONS, CRD_VERSIONS, HOOK_NAMES

Node = dict[str, Any]

_TEXT: Node = {"type": "string", "minLength": 1}


def _object(required: tuple[str, ...], **properties: Any) -> Node:
    return {"type": "object", "required": list(required), "properties": properties}


def _list(items: Node, **more: Any) -> Node:
    return {"type": "array", "items": items, **more}


def _ref(name: str) -> Node:
    return {"$ref": f"#/components/schemas/{name}"}


def _resource(kind: str, **more: Any) -> Node:
    return _object(("resourceType",), resourceType={"const": kind}, **more)


_BUNDLE = _resource("Bundle", entry=_list(_object((), resource={"type": "object", "description": "A FHIR R4 resource."})))
_CODING = _object((), system={"type": "string"}, code={"type": "string"}, display={"type": "string"})
_REFERENCES = _list({"type": "string", "examples": ["ServiceRequest/order-1"]}, maxItems=MAX_ORDERS)

_SHARED: Node = {
    "hook": {"enum": sorted(HOOK_NAMES), "description": "Any hook that is served; the endpoint decides how it is read."},
    "hookInstance": {**_TEXT, "description": "Any text; a UUID by CDS Hooks 2.0."},
    "fhirServer": {"type": "string", "description": "Called back only if the operator allowed this server."},
    "fhirAuthorization": _object((), access_token={"type": "string"}),
    "prefetch": {
        "type": "object",
        "description": "Resources or Bundles under any key: they are found by type. `null`: looked for and not there.",
        "additionalProperties": {"type": ["object", "null"]},
    },
    "extension": _object(
        (),
        **{
            "davinci-crd.requestedVersion": {
                "type": "string",
                "pattern": "^(" + "|".join(version.replace(".", "[.]") for version in CRD_VERSIONS) + ")([.][0-9]+)?$",
                "maxLength": 12,
                "default": CRD_VERSIONS[0],
            },
            "davinci-crd.configuration": _object(
                (), **{each.code: {"type": "boolean", "default": each.default} for each in CONFIGURATION_OPTIONS}
            ),
        },
    ),
}


def _request(required: tuple[str, ...], **context: Node) -> Node:
    return _object(("hook", "hookInstance", "context"), **_SHARED, context=_object(required, **context))


_USER = {**_TEXT, "examples": ["Practitioner/example"]}
_PATIENT = {**_TEXT, "description": "The patient's id, without a type."}

_CARD = _object(
    ("uuid", "summary", "indicator", "source", "detail"),
    uuid={"type": "string", "format": "uuid"},
    summary={"type": "string", "maxLength": 139},
    detail={"type": "string", "description": "GitHub-flavored markdown."},
    indicator={"enum": ["info", "warning"]},
    source=_object(("label", "topic"), label=_TEXT, topic=_CODING),
    links=_list(_object(("label", "url", "type"), label=_TEXT, url={"type": "string"}, type={"const": "absolute"}), minItems=1),
    overrideReasons=_list(_CODING, minItems=1),
    extension={"type": "object"},
)

_SYSTEM_ACTION = _object(
    ("type", "description", "resource"),
    type={"const": "update"},
    description=_TEXT,
    resource={"type": "object", "description": "The resource as it came, with coverage information among its extensions."},
)

_FEEDBACK_ITEM = {
    **_object(
        ("card", "outcome", "outcomeTimestamp"),
        card={**_TEXT, "pattern": r"\S", "description": "The card's uuid."},
        outcome={"enum": ["accepted", "overridden"]},
        outcomeTimestamp={"type": "string", "format": "date-time"},
        acceptedSuggestions=_list(_object(("id",), id={"type": "string"})),
        overrideReason=_object((), reason=_CODING, userComment={"type": "string"}),
    ),
    "if": {"properties": {"outcome": {"const": "accepted"}}},
    "then": {"required": ["acceptedSuggestions"]},
}

_SERVICE = _object(
    ("id", "hook", "title", "description", "prefetch", "extension"),
    id=_TEXT,
    hook={"enum": sorted(HOOK_NAMES)},
    title=_TEXT,
    description=_TEXT,
    prefetch={"type": "object", "additionalProperties": {"type": "string"}},
    extension={"type": "object"},
)

SCHEMAS: Node = {
    "Discovery": _object(("services",), services=_list(_ref("Service"), minItems=1)),
    "Service": _SERVICE,
    "OrderSignRequest": _request(("userId", "patientId", "draftOrders"), userId=_USER, patientId=_PATIENT, draftOrders=_BUNDLE),
    "OrderSelectRequest": _request(
        ("userId", "patientId", "draftOrders", "selections"),
        userId=_USER,
        patientId=_PATIENT,
        draftOrders=_BUNDLE,
        selections=_list({"type": "string"}),
    ),
    "OrderDispatchRequest": _request(("patientId", "dispatchedOrders"), patientId=_PATIENT, dispatchedOrders=_REFERENCES),
    "AppointmentBookRequest": _request(
        ("userId", "patientId", "appointments"), userId=_USER, patientId=_PATIENT, appointments=_BUNDLE
    ),
    "HookResponse": _object(("cards",), cards=_list(_ref("Card")), systemActions=_list(_ref("SystemAction"), minItems=1)),
    "Card": _CARD,
    "SystemAction": _SYSTEM_ACTION,
    "Feedback": _object(("feedback",), feedback=_list(_ref("FeedbackItem"), minItems=1, maxItems=1000)),
    "FeedbackItem": _FEEDBACK_ITEM,
    "OperationOutcome": _resource(
        "OperationOutcome",
        issue=_list(
            _object(
                ("severity", "code", "diagnostics"),
                severity={"const": "error"},
                code=_TEXT,
                diagnostics=_TEXT,
                expression=_list(_TEXT, minItems=1),
            ),
            minItems=1,
        ),
    )
    | {"required": ["resourceType", "issue"]},
    "Health": _object(("status",), status=_TEXT, problem=_TEXT),
}
