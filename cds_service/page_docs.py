"""The documents as pages: a list of them, and each one."""

from __future__ import annotations

from flask import abort, render_template

from cds_service.documents import DOCUMENTS, document_page


def show_docs() -> str:
    """What documents there are and what each is for."""
    return render_template("docs.html", docs=DOCUMENTS)


def show_document(name: str) -> str:
    """One document."""
    found = document_page(name)
    if found is None:
        abort(404)
    return render_template("document.html", document=found)
