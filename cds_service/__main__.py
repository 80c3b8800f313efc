"""``python -m cds_service``."""

from cds_service.cli import main

main(prog_name="cds-service")
