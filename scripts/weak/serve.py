"""Serves one small model on 127.0.0.1 by llama.cpp's own HTTP server, until SIGTERM.

usage: serve.py MODEL.gguf TEMPLATE.jinja NAME SLOTS CONTEXT
Prints the port, which is a free one, once the server listens. /health answers 200 when the model can be called.
"""

import signal
import socket
import sys

import xllamacpp

model, template, name, slots, context = sys.argv[1:]

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]

params = xllamacpp.CommonParams()
params.model.path = model
params.model_alias = {name}
params.hostnames = ["127.0.0.1"]
params.port = port
# Nothing is fetched, and nobody asks.
params.offline = True
params.ui = False
# Each agent that calls at the same time has a slot, and with it a context of its own.
params.n_parallel = int(slots)
params.n_ctx = int(slots) * int(context)
# More threads than are free make it slower, and other work goes on.
params.cpuparams.n_threads = 1
params.cpuparams_batch.n_threads = 1
# Tool calls are read out of the answers in the way that the template writes them.
params.use_jinja = True
with open(template, encoding="utf-8") as file:
    params.chat_template = file.read()

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = xllamacpp.Server(params)
print(f"PORT {port}", flush=True)
while True:
    signal.pause()
