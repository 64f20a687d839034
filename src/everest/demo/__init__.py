"""What accompanies `everest-manager run`: the demo central system, the live story and the prompt.

csms.py       an independent central system (extra `demo`)     story.py     bus messages to lines, pure
watch.py      what has happened so far, and waiting for more   commands.py  words to bus messages, pure
session.py    the session that is played                       prompt.py    the hand-driven station
console.py    shows the lines                                  companion.py puts it all beside the manager
May be imported by nobody: the manager finds the companion by its entry point.
"""
