"""Orders, coverages and hook requests to build test calls from; every function gives a fresh value."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

CPT = "http://www.ama-assn.org/go/cpt"
PATIENT = "pat-al-001"
COVERAGE = "Coverage/cov-1"
EXTENSION = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information"

#: Dates of service on either side of the change of 11/1/2023, and an occurrence across it.
BEFORE: Json = {"occurrenceDateTime": "2023-10-31"}
AFTER: Json = {"occurrenceDateTime": "2023-11-01"}
ACROSS: Json = {"occurrencePeriod": {"start": "2023-10-20", "end": "2023-11-10"}}


def order(**elements: Any) -> Json:
    """An order for MR neurography that conforms to CRD's ServiceRequest profiles; ``elements`` win, None leaves one out."""
    body: Json = {
        "resourceType": "ServiceRequest",
        "id": "mrn-1",
        "status": "draft",
        "intent": "order",
        "code": {"coding": [{"system": CPT, "code": "76498"}], "text": "MR neurography, right brachial plexus"},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "authoredOn": "2023-09-14",
        "requester": {"reference": "Practitioner/p1"},
    }
    if not any(name.startswith("occurrence") for name in elements):
        body |= AFTER
    return {name: value for name, value in (body | elements).items() if value is not None}


def unlisted(**elements: Any) -> Json:
    """An order for the unlisted MR code that does not say what it is: possibly MR neurography."""
    return order(**{"id": "unlisted-1", "code": {"coding": [{"system": CPT, "code": "76498"}]}} | elements)


def knee(**elements: Any) -> Json:
    """An order for an MRI of the knee: no policy here is about it."""
    code = {"coding": [{"system": CPT, "code": "73721"}], "text": "MRI right knee without contrast"}
    return order(**{"id": "knee-1", "code": code} | elements)


def coverage(**elements: Any) -> Json:
    """The active Coverage of a member of Blue Advantage; None leaves an element out."""
    body: Json = {
        "resourceType": "Coverage",
        "id": "cov-1",
        "status": "active",
        "subscriberId": "XAB123",
        "beneficiary": {"reference": f"Patient/{PATIENT}"},
        "relationship": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/subscriber-relationship", "code": "self"}]},
        "payor": [{"display": "BlueCross BlueShield of Alabama"}],
        "class": [{"type": {"coding": [{"code": "plan"}]}, "value": "BA", "name": "Blue Advantage PPO"}],
    }
    return {name: value for name, value in (body | elements).items() if value is not None}


def another_payers(**elements: Any) -> Json:
    """A Coverage of another insurer."""
    return coverage(**{"id": "cov-other", "payor": [{"display": "Humana"}], "class": None} | elements)


def another_product(**elements: Any) -> Json:
    """A Coverage of the same insurer's commercial plan."""
    plan = [{"type": {"coding": [{"code": "plan"}]}, "value": "1", "name": "C Plus"}]
    return coverage(**{"id": "cov-commercial", "class": plan} | elements)


def by_reference(**elements: Any) -> Json:
    """A Coverage whose payor is told by reference only."""
    return coverage(**{"payor": [{"reference": "Organization/payer-1"}]} | elements)


def payer_organization(**elements: Any) -> Json:
    """The Organization that ``by_reference`` refers to."""
    return {"resourceType": "Organization", "id": "payer-1", "active": True, "name": "BlueCross BlueShield of Alabama"} | elements


def searchset(*resources: Json, **elements: Any) -> Json:
    """A searchset Bundle as FHIR servers answer; without matches it has no ``entry``."""
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(resources)}
    if resources:
        bundle["entry"] = [{"resource": resource, "search": {"mode": "match"}} for resource in resources]
    return bundle | elements


def collection(*resources: Json) -> Json:
    """A collection Bundle as CRD's profile-bundle-request asks, each entry with its fullUrl."""
    entries = [
        {"fullUrl": f"https://ehr.example.org/fhir/{each.get('resourceType')}/{each.get('id')}", "resource": each}
        for each in resources
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


_MEMBER = object()


def hook_body(hook: str, context: Json, prefetch: Any = _MEMBER, version: Any = None, **members: Any) -> Json:
    """A hook request; ``prefetch`` None leaves it out, ``version`` None names no CRD version."""
    body: Json = {
        "hook": hook,
        "hookInstance": "3f6d2f7e-3c1d-4b7b-9b9e-0d7a0a3d9a10",
        "context": {"patientId": PATIENT} | context,
    }
    if prefetch is _MEMBER:
        prefetch = {"coverage": searchset(coverage())}
    if prefetch is not None:
        body["prefetch"] = prefetch
    if version is not None:
        members["extension"] = {"davinci-crd.requestedVersion": version} | members.get("extension", {})
    return body | members


def order_sign(*orders: Json, **members: Any) -> Json:
    """An order-sign request."""
    return hook_body("order-sign", {"userId": "Practitioner/p1", "draftOrders": collection(*orders)}, **members)


def order_select(*orders: Json, selections: list[str] | None = None, **members: Any) -> Json:
    """An order-select request; every order is selected unless ``selections`` says otherwise."""
    chosen = [f"{each['resourceType']}/{each.get('id')}" for each in orders] if selections is None else selections
    context = {"userId": "Practitioner/p1", "selections": chosen, "draftOrders": collection(*orders)}
    return hook_body("order-select", context, **members)


def order_dispatch(context: Json, *orders: Json, **members: Any) -> Json:
    """An order-dispatch request, ``orders`` prefetched."""
    members.setdefault("prefetch", {"coverage": searchset(coverage()), "serviceRequests": searchset(*orders)})
    return hook_body("order-dispatch", {"performer": "Organization/imaging-1"} | context, **members)


def appointment(**elements: Any) -> Json:
    """A proposed Appointment that is based on ``order()``."""
    body: Json = {
        "resourceType": "Appointment",
        "id": "apt-1",
        "status": "proposed",
        "basedOn": [{"reference": "ServiceRequest/mrn-1"}],
        "start": "2023-10-31T09:00:00-05:00",
        "end": "2023-10-31T10:00:00-05:00",
        "requestedPeriod": [{"start": "2023-10-31", "end": "2023-11-30"}],
        "participant": [{"actor": {"reference": f"Patient/{PATIENT}"}, "status": "accepted"}],
    }
    return {name: value for name, value in (body | elements).items() if value is not None}


def appointment_book(*appointments: Json, orders: tuple[Json, ...] = (), **members: Any) -> Json:
    """An appointment-book request, ``orders`` prefetched."""
    members.setdefault("prefetch", {"coverage": searchset(coverage()), "serviceRequests": searchset(*orders)})
    context = {"userId": "Practitioner/p1", "appointments": collection(*appointments)}
    return hook_body("appointment-book", context, **members)
