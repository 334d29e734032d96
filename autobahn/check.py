#!/usr/bin/env python3
"""check.py DIR GROUP...   judges the report of the Autobahn suite in DIR, which must hold every case of these groups.

A case passed when both its verdicts, on the behaviour and on the close, are OK; three cases have no right answer, and
pass as INFORMATIONAL too. Prints what failed, a table in Markdown and `N passed, M failed`; exits 1 unless M is 0.
"""
import collections
import json
import pathlib
import sys

SUBJECTS = {  # and how many cases each group has
    1: ('Framing', 16), 2: ('Pings and pongs', 11), 3: ('Reserved bits', 7), 4: ('Opcodes', 10), 5: ('Fragmentation', 20),
    6: ('UTF-8', 145), 7: ('Close', 37), 9: ('Limits, performance', 54), 10: ('Automatic fragmentation', 1),
    12: ('Compression', 90), 13: ('Compression parameters', 126)}
INFORMATIONAL = {'7.1.6', '7.13.1', '7.13.2'}


def verdict(case, result):
    verdicts = {result['behavior'], result['behaviorClose']}
    if verdicts == {'OK'}:
        return 'OK'
    if case in INFORMATIONAL and verdicts <= {'OK', 'INFORMATIONAL'}:
        return 'INFORMATIONAL'
    return f"{result['behavior']}, close {result['behaviorClose']} (code {result['remoteCloseCode']})"


folder = pathlib.Path(sys.argv[1])
groups = [int(group) for group in sys.argv[2:]]
agents = json.loads((folder / 'index.json').read_text())
results = next(iter(agents.values()), {})
seen = {group: collections.Counter() for group in groups}
failures = []
for case, result in sorted(results.items(), key=lambda item: [int(part) for part in item[0].split('.')]):
    found = verdict(case, result)
    if found not in ('OK', 'INFORMATIONAL'):
        failures.append(f"{case}: {found}, {folder / result['reportfile'].replace('.json', '.html')}")
        found = 'failed'
    seen[int(case.split('.')[0])][found] += 1
missing = {group: SUBJECTS[group][1] - seen[group].total() for group in groups}
failed = len(failures) + sum(missing.values())
failures += [f'{group}.*: did not run: {cases}' for group, cases in missing.items() if cases]

print(*failures, sep='\n', end='\n\n' if failures else '')
print('| group | subject | cases | OK | informational |', '|---:|---|---:|---:|---:|', sep='\n')
for group in groups:
    print(f"| {group} | {SUBJECTS[group][0]} | {SUBJECTS[group][1]} | {seen[group]['OK']} | {seen[group]['INFORMATIONAL']} |")
total = collections.Counter()
for counts in seen.values():
    total += counts
cases = sum(SUBJECTS[group][1] for group in groups)
print(f"| | all | {cases} | {total['OK']} | {total['INFORMATIONAL']} |\n\nReport: {folder / 'index.html'}")
print(f"{total['OK'] + total['INFORMATIONAL']} passed, {failed} failed")
sys.exit(failed > 0 or not results)
