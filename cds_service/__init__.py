"""A payer's Coverage Requirements Discovery (CRD) server on CDS Hooks.

How a call flows, room by room::

    views.call_service           HTTP in
      auth                       who is calling
      crd.hook_request           body -> HookRequest, checked
      crd.determination.decide   asks for what is missing (crd.needs); fhir_client fetches it
        crd.recognition          does the order name a policy's procedure
        crd.service_dates        on which days
        crd.membership           is the coverage ours
        crd.policy               which version holds
      crd.cards.render_response  cards, and coverage information onto the order (crd.system_actions)
      records                    kept before it is said
    views                        HTTP out

``crd/`` is pure; ``app.py`` wires; ``policies/*.toml`` is what the plan says, as dated data.
"""

__version__ = "0.1.0"
