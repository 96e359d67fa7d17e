#!/usr/bin/env python3
"""Breaks a source on purpose, one place at a time, and says what no test noticed.

    tests/mutate.py [lib/dane.c ...]

Each mutant is built with the pure sources, then the scenarios and unit tests run;
a mutant that all of them pass is a survivor: a missing row, or a change without effect.
Exit status 1 when a survivor is not listed in tests/mutate.known with its reason, or a
reason has lost its survivor.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

SOURCES = ['lib/lookup.c', 'lib/dane.c', 'lib/answer.c', 'lib/refresh.c', 'lib/tlsa.c']
UNIT = ['lookup', 'dane', 'answer', 'entry', 'refresh', 'tlsa']

SWAPS = [
    (r'(?<![<>=!-])>=(?!=)', '>'), (r'(?<![<>=!-])>=(?!=)', '<'),
    (r'(?<![<>=!-])<=(?!=)', '<'), (r'(?<=\s)>(?=\s)', '>='), (r'(?<=\s)<(?=\s)', '<='),
    (r'==', '!='), (r'!=', '=='), (r'&&', '||'), (r'\|\|', '&&'),
    (r'(?<=[(\s&|])!(?=[a-z])', ''), (r'\btrue\b', 'false'), (r'\bfalse\b', 'true'),
    (r'(?<=\s)\+(?=\s)', '-'), (r'(?<=\s)-(?=\s)', '+'),
    (r'return 0;', 'return 1;'),
    (r'\b(STS_[A-Z_]*(?:GAP|TTL_MIN|TTL_MAX|TTL|MEMORY|MAX|MIN|SOA))\b', r'(\1 + 1)'),
    (r'^\t+(?!return|if|else|case|default|for|while|struct|enum|const|unsigned|int|bool|static)'
     r'[a-z][^{}]*;$', ''),
]


def mutants(text):
    lines = text.split('\n')
    inside_comment = False
    for number, line in enumerate(lines):
        if '/*' in line:
            inside_comment = '*/' not in line
            continue
        if inside_comment:
            inside_comment = '*/' not in line
            continue
        if line.startswith('#') or 'assert(' in line:
            continue
        for pattern, to in SWAPS:
            for match in re.finditer(pattern, line):
                changed = line[:match.start()] + match.expand(to) + line[match.end():]
                yield number, line.strip(), changed.strip(), '\n'.join(
                    lines[:number] + [changed] + lines[number + 1:])


def run(command, timeout=10):
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=timeout, check=False).returncode
    except subprocess.TimeoutExpired:
        return 1


def main():
    flags = ['-std=c17', '-D_GNU_SOURCE', '-O1', '-w', '-iquote', 'lib', '-iquote', 'postfix',
             '-iquote', 'tests/unit', '-fsanitize=undefined', '-fno-sanitize-recover']
    sources = sorted(glob.glob('lib/*.c'))
    tests = [t for t in UNIT if os.path.exists(f'tests/unit/test_{t}.c')]
    chosen = sys.argv[1:] or SOURCES
    known, used = {}, set()
    if os.path.exists('tests/mutate.known'):
        for row in open('tests/mutate.known', encoding='ascii'):
            if row.strip() and not row.startswith('#'):
                place, _, reason = row.partition(' # ')
                known[place.strip()] = reason.strip()
    bad = total = 0
    with tempfile.TemporaryDirectory() as folder:
        objects = {}
        for source in sources:
            objects[source] = os.path.join(folder, source.replace('/', '_') + '.o')
            subprocess.run(['cc', *flags, '-c', '-o', objects[source], source], check=True)
        programs = {}
        for name, path in [('sim', 'tests/sim/sim.c')] + [
                (t, f'tests/unit/test_{t}.c') for t in tests]:
            programs[name] = os.path.join(folder, name + '.o')
            subprocess.run(['cc', *flags, '-c', '-o', programs[name], path], check=True)
        for name, program in programs.items():
            binary = os.path.join(folder, 'run')
            run(['cc', '-fsanitize=undefined', '-o', binary, program, *objects.values()])
            if run([binary, *(sorted(glob.glob('tests/sim/*.sim')) if name == 'sim' else [])]):
                sys.exit(f'{name} fails before anything is broken')
        for source in chosen:
            for number, was, now, text in mutants(open(source, encoding='ascii').read()):
                path = os.path.join(folder, 'mutant.c')
                with open(path, 'w', encoding='ascii') as file:
                    file.write(text)
                mutated = os.path.join(folder, 'mutant.o')
                if run(['cc', *flags, '-c', '-o', mutated, path]) != 0:
                    continue
                total += 1
                rest = [o for s, o in objects.items() if s != source]
                noticed = False
                for name, program in programs.items():
                    binary = os.path.join(folder, 'run')
                    run(['cc', '-fsanitize=undefined', '-o', binary, program, mutated, *rest])
                    args = sorted(glob.glob('tests/sim/*.sim')) if name == 'sim' else []
                    if run([binary, *args]) != 0:
                        noticed = True
                        break
                if noticed:
                    continue
                place = f'{source}: {was} => {now}'.strip()
                if place in known:
                    used.add(place)
                    continue
                bad += 1
                print(f'{source}:{number + 1}: {was} => {now}', flush=True)
    for place in known:
        if place.partition(':')[0] in chosen and place not in used:
            bad += 1
            print(f'no longer a survivor: {place}')
    print(f'{total} mutants, {bad} survivors without a reason, or the other way round')
    return bad > 0


sys.exit(main())
