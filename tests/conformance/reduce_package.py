"""Reduce the published CRD 2.0.1 package to what the profile test needs.

python -m tests.conformance.reduce_package path/to/unpacked/package > tests/data/crd-2.0.1.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PROFILES = ("ext-coverage-information", "profile-servicerequest")
KEPT = ("id", "min", "max", "fixedUri", "fixedCode")


def reduced(folder: Path) -> dict[str, Any]:
    """The snapshot elements of the profiles and the codes of the value sets that they bind as required."""
    profiles, value_sets = {}, {}
    for name in PROFILES:
        elements = json.loads((folder / f"StructureDefinition-{name}.json").read_text())["snapshot"]["element"]
        profiles[name] = [_element(each) for each in elements]
        for each in profiles[name]:
            file = folder / f"ValueSet-{str(each.get('required')).rpartition('/')[2]}.json"
            if file.exists():
                value_sets[each["required"]] = _codes(json.loads(file.read_text()))
    return {
        "source": "hl7.fhir.us.davinci-crd 2.0.1, package of 2024-01-08",
        "license": "CC0-1.0",
        "profiles": profiles,
        "valueSets": value_sets,
    }


def _element(element: dict[str, Any]) -> dict[str, Any]:
    kept = {key: element[key] for key in KEPT if key in element}
    types = [each["code"] for each in element.get("type", ())]
    binding = element.get("binding", {})
    if 0 < len(types) < 10:
        kept["types"] = types
    if binding.get("strength") == "required":
        kept["required"] = binding["valueSet"].partition("|")[0]
    return kept


def _codes(value_set: dict[str, Any]) -> list[str]:
    return [concept["code"] for include in value_set["compose"]["include"] for concept in include.get("concept", ())]


if __name__ == "__main__":
    json.dump(reduced(Path(sys.argv[1])), sys.stdout, indent=1)
    sys.stdout.write("\n")
