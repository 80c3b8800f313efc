"""Decides a kept call again, and says why, from what was kept: the policies by hash, the day, the settings, what was fetched."""

from __future__ import annotations

import hashlib
import uuid
from datetime import date
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from cds_service.crd.cards import render_response
from cds_service.crd.determination import Decision, decide
from cds_service.crd.errors import CallError, PolicyError, operation_outcome
from cds_service.crd.explanation import explain
from cds_service.crd.hook_request import parse_hook_request
from cds_service.crd.hooks import HOOKS
from cds_service.crd.needs import Fetched, Need, run
from cds_service.crd.order_reading import Circumstances
from cds_service.crd.policy import Policy, parse_policy
from cds_service.crd.system_actions import Presentation
from cds_service.policy_files import policy_paths
from cds_service.records import RecordsMisconfigured
from cds_service.records.record import ASSERTING
from cds_service.records.replay import ReplayInput
from cds_service.settings import Settings


def decide_again(kept: ReplayInput, settings: Settings) -> bytes:
    """The body that ``kept`` is answered with now, by this version of the software and the policies it was answered by then.

    Raises RecordsMisconfigured where a policy file of then is neither kept nor at hand, or is not read by this version.
    """
    policies, used = _policies(kept, settings), kept.settings
    day, asserting = date.fromisoformat(kept.today), used.get(ASSERTING, True)
    how = Presentation(used["public_url"], day, lambda: str(uuid.uuid4()), used["literal_q2"], asserting)
    try:
        decision = _decided(kept, policies)
    except CallError as error:
        return msgspec.json.encode(operation_outcome(error))
    return render_response(decision, policies, how).body


def explain_again(kept: ReplayInput, settings: Settings) -> list[str]:
    """Why each order of ``kept`` is answered as it is, or not at all, as ``decide_again`` decides it: lines for people.

    Raises as ``decide_again``, and CallError where the call is refused now.
    """
    decision = _decided(kept, _policies(kept, settings))
    if not decision.request.configuration.coverage_info:
        return ["The client wanted no coverage information (davinci-crd.configuration): no order was looked at."]
    return list(explain(decision))


def _decided(kept: ReplayInput, policies: tuple[Policy, ...]) -> Decision:
    used = kept.settings
    zone, answers_unmatched = ZoneInfo(used["timezone"]), used["unmatched"] == "conditional"
    given = Circumstances(policies, date.fromisoformat(kept.today), zone, answers_unmatched)

    def fetch(need: Need) -> Fetched:
        raw = kept.fetched.get(need.place)
        return Fetched(raw) if raw is not None else Fetched(None, used["failed_fetches"].get(need.place, "not-allowed"))

    return run(decide(parse_hook_request(kept.request, HOOKS[kept.service_id]), given), fetch)


def _policies(kept: ReplayInput, settings: Settings) -> tuple[Policy, ...]:
    return tuple(_policy(policy_id, digest, kept, settings) for policy_id, digest in kept.policy_hashes.items())


def _policy(policy_id: str, digest: str, kept: ReplayInput, settings: Settings) -> Policy:
    """The policy whose file has the SHA-256 ``digest``: as kept, else as it stands in the folders now.

    Raises RecordsMisconfigured.
    """
    found = kept.policies.get(policy_id)
    # Whoever may write the database could otherwise change what was answered then.
    content = found if found is not None and _is(found, digest) else _at_hand(digest, settings)
    if content is None:
        where = "is neither kept nor" if found is None else "was altered where it is kept, and is not"
        raise RecordsMisconfigured(f"the policy file {policy_id} of then ({digest[:12]}...) {where} at hand")
    try:
        return _parsed(content, policy_id)
    except PolicyError as error:
        problem = " ".join(str(error).split())
        raise RecordsMisconfigured(f"the policy file of then is not read by this version of cds-service: {problem}") from None


@lru_cache(maxsize=16)
def _parsed(content: bytes, policy_id: str) -> Policy:
    """The same policy for all calls it answered: what is remembered of orders is remembered under the policy itself."""
    return parse_policy(content.decode(), policy_id)


def _at_hand(digest: str, settings: Settings) -> bytes | None:
    contents = (path.read_bytes() for path in policy_paths(settings.policies))
    return next((content for content in contents if _is(content, digest)), None)


def _is(content: bytes, digest: str) -> bool:
    return hashlib.sha256(content).hexdigest() == digest
