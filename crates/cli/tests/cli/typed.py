"""Runs a program at a terminal of its own, types what it is told to, and prints what it said.

typed.py STEPS PROGRAM...: STEPS is a JSON list of [WORDS, TYPED]. Each step begins when its words appear in what was said since
the last step; then TYPED is typed, and typed again whenever the program is silent, until the next step begins. After the last
step, or when the program ends, the terminal is closed.
"""

import json
import os
import pty
import select
import sys

SILENT_S = 0.3

steps, program = json.loads(sys.argv[1]), sys.argv[2:]
process, terminal = pty.fork()
if process == 0:
    os.execvp(program[0], program)
said, since, typed = b"", 0, None
while steps:
    if not select.select([terminal], [], [], SILENT_S)[0]:
        if typed:
            os.write(terminal, typed)
        continue
    try:
        piece = os.read(terminal, 65536)
    except OSError:
        break
    if not piece:
        break
    said += piece
    found = said.find(steps[0][0].encode(), since)
    if found >= 0:
        since, typed = found + 1, steps.pop(0)[1].encode()
        os.write(terminal, typed)
os.close(terminal)
os.waitpid(process, 0)
sys.stdout.buffer.write(said)
