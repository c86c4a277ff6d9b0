#!/usr/bin/env python3
"""Follows docs/tutorial.md as a newcomer would: its files and commands, in order, in one shell.

    follow_tutorial.py --bin FOLDER [--tutorial FILE] [--data FOLDER] [--limit SECONDS]

First what a clone alone can prove: that the files of the tutorial parse, that its links lead
somewhere, that every line it promises is in the output it shows, and that every command and flag is
one of the programs. Then, with --data, the commands themselves, in an empty folder that is removed
afterwards. Exit code 0 when all held, 1 with the block that did not and what it printed, 2 for
wrong usage.

What a tutorial is made of:
    ```python NAME, ```json NAME    a file of that name
    ```sh                           commands; the first that fails ends the test
    <!-- always: TEXT -->           TEXT is part of a line of what the commands above print
    ```text                         what they printed once
"""

import argparse
import dataclasses
import json
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile

SERVER = "127.0.0.1:50051"  # as in the tutorial; a test takes a port that is free
PROGRAMS = ("search-server", "search-worker", "search-client")


class Broken(Exception):
    """What does not hold, as text for the reader of the test's log."""


@dataclasses.dataclass
class Block:
    kind: str  # sh, python, json or text
    name: str  # of the file that a python or json block is
    line: int  # of its fence in the tutorial
    text: str
    promises: list = dataclasses.field(default_factory=list)  # sh: parts of lines that are printed
    shown: str = ""  # sh: what it printed once


def read_blocks(tutorial):
    """The blocks of the tutorial that have a kind; promises and outputs are with their commands."""
    blocks, commands, fence = [], None, None
    for number, line in enumerate(tutorial.read_text(encoding="utf-8").splitlines(), 1):
        if fence is not None:
            if line == "```":
                if fence.kind == "text":
                    commands.shown += fence.text
                elif fence.kind:
                    blocks.append(fence)
                    commands = fence if fence.kind == "sh" else None
                fence = None
            else:
                fence.text += line + "\n"
        elif line.startswith("```"):
            kind, _, name = line[3:].partition(" ")
            if kind not in ("", "sh", "text", "python", "json"):
                raise Broken(f"{tutorial}:{number}: a block of kind {kind}")
            if (kind in ("python", "json")) != bool(name):
                raise Broken(f"{tutorial}:{number}: a file needs a name, nothing else has one")
            if kind == "text" and commands is None:
                raise Broken(f"{tutorial}:{number}: output without commands before it")
            fence = Block(kind, name, number, "")
        elif line.startswith("<!-- always: "):
            if commands is None:
                raise Broken(f"{tutorial}:{number}: a promise without commands before it")
            commands.promises.append(line[len("<!-- always: ") : -len(" -->")])
    if fence is not None:
        raise Broken(f"{tutorial}:{fence.line}: a block without an end")
    if not any(block.kind == "sh" for block in blocks):
        raise Broken(f"{tutorial}: no commands")
    return blocks


def printed(promise, output):
    return any(promise in line for line in output.splitlines())


def check_links(tutorial):
    for target in re.findall(r"\]\(([^)#]+)", tutorial.read_text(encoding="utf-8")):
        if "://" not in target and not (tutorial.parent / target).exists():
            raise Broken(f"{tutorial}: no file {target}")


def check_files(tutorial, blocks):
    for block in blocks:
        where = f"{tutorial}:{block.line}"
        try:
            if block.kind == "python":
                compile(block.text, block.name, "exec")
            if block.kind == "json":
                json.loads(block.text)
        except (SyntaxError, ValueError) as error:
            raise Broken(f"{where}: {block.name}: {error}") from error
        for promise in block.promises:
            if not printed(promise, block.shown):
                raise Broken(f"{where}: the output shown does not have the line\n  {promise}")


def commands_of(block):
    """The command lines of our programs: program, its verbs and its flags."""
    for line in block.text.splitlines():
        words = shlex.split(line, comments=True)
        if not words or words[0] not in PROGRAMS:
            continue
        verbs = []
        for word in words[1:]:
            if not re.fullmatch(r"[a-z]+", word) or len(verbs) == 2:
                break
            verbs.append(word)
        yield words[0], verbs, [word for word in words if re.fullmatch(r"--?[a-z-]+", word)]


def help_of(bin_folder, program, verbs):
    """The help of just this command; None if there is no such command, or a verb is missing."""
    command = [str(bin_folder / program), *verbs, "--help"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    usage = re.search(rf"^Usage: {' '.join([program, *verbs])} .*", ran.stdout, re.MULTILINE)
    if ran.returncode != 0 or usage is None or (verbs and "SUBCOMMAND" in usage.group()):
        return None
    return ran.stdout


def check_commands(tutorial, blocks, bin_folder):
    for block in blocks:
        if block.kind != "sh":
            continue
        for program, verbs, flags in commands_of(block):
            # A last verb may be an argument, such as the name of a study in `pareto NAME`.
            where = f"{tutorial}:{block.line}: {' '.join([program, *verbs])}"
            text = help_of(bin_folder, program, verbs)
            if text is None and len(verbs) > 1:
                text = help_of(bin_folder, program, verbs[:-1])
            if text is None:
                raise Broken(f"{where}: no such command")
            for flag in flags:
                if not re.search(rf"(^|[\s,]){re.escape(flag)}\b", text, re.MULTILINE):
                    raise Broken(f"{where}: has no {flag}")


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def mark(number):
    return f"-- block {number} of the tutorial --"


def script_of(blocks):
    """One script: each block behind its mark, errors among the output."""
    parts = ["set -euo pipefail", "exec 2>&1"]
    for number, block in enumerate(blocks):
        parts.append(f"echo '{mark(number)}'")
        if block.kind == "sh":
            parts.append(block.text)
        else:
            name = shlex.quote(block.name)
            parts.append(f"cat > {name} <<'END OF FILE'\n{block.text}END OF FILE")
    parts.append(f"echo '{mark(len(blocks))}'")
    return "\n".join(parts) + "\n"


def run(script, folder, environment, limit):
    """Runs the script below `folder`; returns what it printed and how it ended."""
    output = folder / "output"
    work = folder / "work"
    work.mkdir()
    (folder / "script").write_text(script, encoding="utf-8")
    with output.open("wb") as sink:
        shell = subprocess.Popen(
            ["bash", str(folder / "script")], cwd=work, env=environment, stdin=subprocess.DEVNULL,
            stdout=sink, start_new_session=True)
        try:
            outcome = f"exit code {shell.wait(limit)}"
        except subprocess.TimeoutExpired:
            outcome = f"not done after {limit} s"
        finally:
            try:  # a server that the tutorial left running ends with it
                os.killpg(shell.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            shell.wait()
    return output.read_text(encoding="utf-8", errors="replace"), outcome


def follow(tutorial, blocks, bin_folder, data, limit):
    address = free_address()
    environment = {
        **os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", "DATA": str(data),
        "VOXBIT_SERVER": address}
    with tempfile.TemporaryDirectory(prefix="voxbit-tutorial-") as folder:
        script = script_of(blocks).replace(SERVER, address)
        output, outcome = run(script, pathlib.Path(folder), environment, limit)
        log = pathlib.Path(folder) / "work" / "server.log"
        server_log = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    for number, block in enumerate(blocks):
        _, _, behind = output.partition(mark(number) + "\n")
        mine, end, _ = behind.partition(mark(number + 1) + "\n")
        missing = [promise for promise in block.promises if not printed(promise, mine)]
        if end and not missing:
            continue
        why = f"did not print: {missing}" if end else f"failed, {outcome}"
        tail = "\n".join(server_log.splitlines()[-20:])
        raise Broken(f"{tutorial}:{block.line}: {why}\n{block.text}printed:\n{mine}"
                     f"the end of its server's log:\n{tail}")
    if outcome != "exit code 0":
        raise Broken(f"{tutorial}: {outcome}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = pathlib.Path(__file__).resolve()
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the programs")
    parser.add_argument("--tutorial", type=pathlib.Path,
                        default=here.parents[2] / "docs" / "tutorial.md")
    parser.add_argument("--data", type=pathlib.Path, help="folder of the tutorial's data sets")
    parser.add_argument("--limit", type=float, default=900, help="seconds for all commands [900]")
    arguments = parser.parse_args()
    bin_folder = arguments.bin.resolve()
    try:
        blocks = read_blocks(arguments.tutorial)
        check_links(arguments.tutorial)
        check_files(arguments.tutorial, blocks)
        check_commands(arguments.tutorial, blocks, bin_folder)
        print(f"{len(blocks)} blocks, files, links and commands are as they should be")
        if arguments.data is None:
            print("without --data the commands are not run")
            return 0
        follow(arguments.tutorial, blocks, bin_folder, arguments.data.resolve(), arguments.limit)
        print("followed to the end")
        return 0
    except Broken as broken:
        print(broken, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
