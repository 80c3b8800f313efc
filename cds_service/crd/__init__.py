"""The pure core: values in, values out.

Nothing in this folder touches Flask, the network, a disk, a clock or a source of random ids; ``today`` and
``new_id`` are arguments. A module imports only those above it in this list:

What comes in: ``errors`` . ``remembered`` . ``fhir_values`` . ``fhir`` . ``hooks`` . ``request_json`` . ``hook_contexts`` .
``hook_request`` . ``service_dates``

The policy: ``toml_text`` . ``cue_words`` . ``gaps`` . ``boxes`` . ``answer_pairs`` . ``words`` . ``phrases`` . ``spelling`` .
``recognition_table`` . ``vocabulary`` . ``policy_file`` . ``policy``

Reading an order: ``cues`` . ``order_cues`` . ``labels`` . ``reading`` . ``asking_words`` . ``forbidding`` .
``reaching_words`` . ``reaching_back`` . ``reach`` . ``forms`` . ``answers`` . ``sentences`` . ``downgrades`` . ``clauses`` .
``phrasing`` . ``asking`` . ``order_text`` . ``narrative`` . ``order_questions`` . ``collecting`` . ``tagging`` .
``neighbours`` . ``binding`` . ``asides`` . ``mentions`` . ``labelled`` . ``order_codes`` . ``service_kind`` . ``case`` .
``weighing`` . ``verdicts`` . ``catalogue_names`` . ``recognition`` . ``trial`` . ``order_title`` . ``validation``

Deciding: ``payer_names`` . ``coverage_names`` . ``membership`` . ``needs`` . ``gathering`` . ``effort`` . ``order_reading`` .
``determination``

What goes out: ``coverage_information`` . ``annotation`` . ``system_actions`` . ``card_text`` . ``cards`` . ``explanation``

What comes back: ``feedback``

``tests/test_architecture.py`` reads the imports and holds the folder to this.
"""
