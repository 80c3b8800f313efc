"""Decides a kept call again, from what was kept of it: the policies by hash, the day, the settings, what was fetched."""

from __future__ import annotations

import hashlib
import uuid
from datetime import date
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from cds_service.crd.cards import render_response
from cds_service.crd.determination import Circumstances, decide
from cds_service.crd.errors import CallError, PolicyError, operation_outcome
from cds_service.crd.hook_request import parse_hook_request
from cds_service.crd.hooks import HOOKS
from cds_service.crd.needs import Fetched, Need, run
from cds_service.crd.policy import Policy, parse_policy
from cds_service.crd.system_actions import Presentation
from cds_service.policy_files import policy_paths
from cds_service.records import RecordsMisconfigured
from cds_service.records.replay import ReplayInput
from cds_service.settings import Settings


def decide_again(kept: ReplayInput, settings: Settings) -> bytes:
    """The body that ``kept`` is answered with now, by this version of the software and the policies it was answered by then.

    Raises RecordsMisconfigured where a policy file of then is neither kept nor at hand, or is not read by this version.
    """
    policies = tuple(_policy(policy_id, digest, kept, settings) for policy_id, digest in kept.policy_hashes.items())
    today = date.fromisoformat(kept.today)
    used = kept.settings
    given = Circumstances(policies, today, ZoneInfo(used["timezone"]), used["unmatched"] == "conditional")
    how = Presentation(used["public_url"], today, lambda: str(uuid.uuid4()), used["literal_q2"])

    def fetch(need: Need) -> Fetched:
        raw = kept.fetched.get(need.place)
        return Fetched(raw) if raw is not None else Fetched(None, used["failed_fetches"].get(need.place, "not-allowed"))

    try:
        decision = run(decide(parse_hook_request(kept.request, HOOKS[kept.service_id]), given), fetch)
    except CallError as error:
        return msgspec.json.encode(operation_outcome(error))
    return render_response(decision, policies, how).body


def _policy(policy_id: str, digest: str, kept: ReplayInput, settings: Settings) -> Policy:
    """The policy whose file has the SHA-256 ``digest``: as kept, else as it stands in the folders now."""
    content = kept.policies.get(policy_id) or _at_hand(digest, settings)
    if content is None:
        raise RecordsMisconfigured(f"the policy file {policy_id} of then ({digest[:12]}...) is neither kept nor at hand")
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
    return next((content for content in contents if hashlib.sha256(content).hexdigest() == digest), None)
