"""A service that looks up the price of an order."""

import os

import opentracing
import requests
from flask import Flask
from flask_opentracing import FlaskTracing
from jaeger_client import Config

tracer = Config({}, service_name="orders").initialize_tracer()
app = Flask(__name__)
tracing = FlaskTracing(tracer, True, app, ["url", "remote_addr"])


@app.route("/orders/<int:id>")
def order(id):
    span = tracing.get_span()
    span.set_tag("customer", "ada")
    with tracer.start_span("price", child_of=span) as price:
        cents = id * 125
        price.set_tag("cents", cents)
    span.log_kv({"event": "priced"})

    if "STOCK" in os.environ:
        headers = {}
        tracer.inject(span, opentracing.Format.HTTP_HEADERS, headers)
        requests.get(os.environ["STOCK"], headers=headers)
    return f"order {id}: {cents} cents"
