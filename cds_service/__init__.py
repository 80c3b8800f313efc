"""A payer s CRD server."""
