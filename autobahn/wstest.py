"""Runs the Autobahn suite (Python 2.7):

    wstest.py attack DIR URL AGENT CASES...   be the client of a server that echoes
    wstest.py serve DIR URL CASES...          be the server of a client that echoes, until killed
    wstest.py report DIR                      write index.html and index.json of all cases whose reports are in DIR

CASES are patterns such as 6.4.* ; the reports go to DIR.
"""
import gc
import glob
import json
import os
import sys
import types

# The suite imports Twisted's TLS, which wants pyOpenSSL, and makes one context that it never uses for ws:// URLs.
import twisted.internet
ssl = types.ModuleType('twisted.internet.ssl')
ssl.ClientContextFactory = type('ClientContextFactory', (object,), {})
sys.modules['twisted.internet.ssl'] = twisted.internet.ssl = ssl

from autobahntestsuite import fuzzing  # installs the reactor, so it comes first
from twisted.internet import reactor, tcp


def listen(self, port, factory, backlog=50, interface='', reactor=None, listen=tcp.Port.__init__):
    """On the loopback interface only; the suite would take all."""
    listen(self, port, factory, backlog, interface or '127.0.0.1', reactor)


def log_case(self, result, log_case=fuzzing.FuzzingFactory.logCase):
    """Collects after each case: PyPy does not see the memory that zlib holds, and would let it grow past 10 GB."""
    log_case(self, result)
    gc.collect()


def report(folder):
    factory = fuzzing.FuzzingFactory(folder)
    factory.CaseSet = fuzzing.CaseSet(
        fuzzing.CaseSetname, fuzzing.CaseBasename, fuzzing.Cases, fuzzing.CaseCategories, fuzzing.CaseSubCategories)
    for name in glob.glob(os.path.join(folder, '*_case_*.json')):
        result = json.load(open(name))
        factory.agents.setdefault(result['agent'], {})[result['id']] = result
    factory.createMasterReportHTML(folder)
    factory.createMasterReportJSON(folder)


tcp.Port.__init__ = listen
fuzzing.FuzzingFactory.logCase = log_case
verb, folder, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
if verb == 'report':
    report(folder)
elif verb == 'attack':
    url, agent = arguments[:2]
    fuzzing.startClient({'outdir': folder, 'servers': [{'agent': agent, 'url': url}], 'cases': arguments[2:]})
    reactor.run()
elif verb == 'serve':
    fuzzing.startServer({'outdir': folder, 'url': arguments[0], 'cases': arguments[1:]}, webport=None)
    print 'listening on ' + arguments[0]
    reactor.run()
else:
    sys.exit(__doc__)
