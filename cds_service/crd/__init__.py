"""The pure core: values in, values out.

Nothing in this folder touches Flask, the network, a disk, a clock or a source of random ids; ``today`` and
``new_id`` are arguments. A module imports only those above it in this list:

What comes in: ``errors`` . ``remembered`` . ``fhir`` . ``hooks`` . ``hook_request`` . ``service_dates``

The policy: ``words`` . ``phrases`` . ``spelling`` . ``cue_words`` . ``recognition_table`` . ``vocabulary`` . ``policy``

Reading an order: ``cues`` . ``reach`` . ``sentences`` . ``clauses`` . ``asking_words`` . ``asking`` . ``order_text`` .
``tagging`` . ``neighbours`` . ``mentions`` . ``service_kind`` . ``labelled`` . ``case`` . ``weighing`` . ``verdicts`` .
``recognition`` . ``trial`` . ``order_title`` . ``validation``

Deciding: ``membership`` . ``needs`` . ``gathering`` . ``effort`` . ``determination``

What goes out: ``coverage_information`` . ``annotation`` . ``system_actions`` . ``card_text`` . ``cards`` . ``explanation``

What comes back: ``feedback``

``tests/test_architecture.py`` reads the imports and holds the folder to this.
"""
