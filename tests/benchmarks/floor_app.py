"""The floor: the least that a Flask service can do with a hook call, which is to parse it and return a card it had."""

from flask import Flask, Response, request

app = Flask(__name__)
CARD = b'{"cards":[{"summary":"A static card","indicator":"info","source":{"label":"Floor"}}]}'


@app.post("/cds-services/<service_id>")
def call_service(service_id: str) -> Response:
    assert request.get_json()["hook"]
    return Response(CARD, content_type="application/json")
