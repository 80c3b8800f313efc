"""The documents that come with the package: ``README.md``, ``docs/*.md`` and the examples' README, as pages may show them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cds_service.document_markdown import Rendered, render_document

#: In the repository links to its files stand here; in an installed package the files themselves.
FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Document:
    """One document: its ``name`` in addresses, its ``path`` in the repository, and what it is for, in a line."""

    name: str
    path: str
    about: str

    @property
    def file(self) -> Path:
        """Where its text stands."""
        return FOLDER / self.path


#: In the order in which a newcomer may want them. A file that is not named here is not served.
DOCUMENTS = (
    Document("readme", "README.md", "Start here: two commands, one call and its answer"),
    Document("integrate-an-ehr", "docs/integrate-an-ehr.md", "Wire an EHR: discovery, prefetch, keys, answers, feedback, errors"),
    Document("client-keys", "docs/client-keys.md", "How a client makes its keys and signs its calls"),
    Document("examples", "fhir_examples/README.md", "All example requests and what each shows"),
    Document("test-with-real-clients", "docs/test-with-real-clients.md", "The CDS Hooks Sandbox, the request generator, Inferno"),
    Document("writing-a-policy", "docs/writing-a-policy.md", "Add or change a policy without a programmer"),
    Document("operations", "docs/operations.md", "Settings, records, metrics, upkeep"),
    Document("records", "docs/records.md", "What is kept, for how long, and how it is found again"),
    Document("architecture", "docs/architecture.md", "How the service is built, with the flow drawn"),
    Document("decision-table", "docs/decision-table.md", "What is answered when, for each CRD version"),
    Document("conformance", "docs/conformance.md", "Every rule of CRD and CDS Hooks, and the test that shows it"),
    Document("security", "docs/SECURITY.md", "Threat model and what the operator must do"),
)


def document_page(name: str) -> Rendered | None:
    """The document of that name as HTML, read once per process; None if there is no such document."""
    # The name is anybody's text, and must not be a key of what is kept.
    document = next((document for document in DOCUMENTS if document.name == name), None)
    return None if document is None else _rendered(document)


@cache
def _rendered(document: Document) -> Rendered:
    served = {each.path: each.name for each in DOCUMENTS}
    return render_document(document.file.read_text(encoding="utf-8"), document.path, served)
