"""The pure core: values in, values out.

Nothing in this folder touches Flask, the network, a disk, a clock or a source of random ids; ``today`` and
``new_id`` are arguments. A module imports only those above it in this list:

``errors`` . ``fhir`` . ``hooks`` . ``hook_request`` . ``service_dates`` . ``vocabulary`` . ``policy`` .
``clauses`` . ``order_text`` . ``recognition`` . ``membership`` . ``determination`` .
``coverage_information`` . ``cards``

``tests/test_architecture.py`` reads the imports and holds the folder to this.
"""
