#!/usr/bin/env python3
"""Compares searches fairly: the same data, space, trained supernet and number of evaluations.

    deploy/compare.py EXPERIMENT.json --out FOLDER [--seeds 1,2] [--data FOLDER] [--bin FOLDER]

For every seed a search-server runs the studies that the experiment asks for; a study of one seed
trains no supernet that another study of it has trained. Stopped at any point and started again
with the same arguments it goes on: every study is kept in FOLDER/seed-N/store. It writes
FOLDER/results.json, table.md and curves.svg, and front.svg where fronts are compared.
deploy/experiments has experiments; its README describes their form.
"""

import argparse
import hashlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import compare_report as report
from compare_experiment import (Experiment, Problem, check_seeds, merged, parse_json, read_text,
                                slug, write_text)

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


# ---- Running studies ---------------------------------------------------------------------------


class Coordinator:
    """A search-server over the store of one seed, and what to ask it. It ends with close()."""

    def __init__(self, binaries, folder, server, studies):
        self.binaries = binaries
        self.log = os.path.join(folder, "server.log")
        os.makedirs(folder, exist_ok=True)
        settings = {**server, "grpc": "127.0.0.1:0", "store": os.path.join(folder, "store")}
        config = os.path.join(folder, "config.json")
        write_text(config, json.dumps({"server": settings, "studies": studies}, indent=2) + "\n")
        with open(self.log, "a", encoding="utf-8") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(
                [program(binaries, "search-server"), "--config", config],
                stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            self.address = self._address()
        except BaseException:
            self.close()
            raise

    def _address(self):
        for line in self.process.stdout:
            if line.startswith("listening on "):
                return line.split()[-1]
        raise Problem(f"the server did not start: {self._last_words()}")

    def _last_words(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(self.log_start)
            lines = log.read().strip().splitlines()
        hint = ""
        if any("with other settings" in line for line in lines):
            hint = "\nThe experiment has changed since this folder was begun; use another --out."
        return f"{lines[-1] if lines else 'it says nothing'} ({self.log}){hint}"

    def ask(self, *arguments):
        command = [program(self.binaries, "search-client"), "--quiet", "-o", "json", "--server",
                   self.address, *arguments]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            if self.process.poll() is not None:
                raise Problem(f"the server ended: {self._last_words()}")
            raise Problem(f"search-client {' '.join(arguments)}: {answer.stderr.strip()}")
        return json.loads(answer.stdout)

    def wait(self, names, title):
        """Until the studies have completed; a line for every change. Returns them by name."""
        shown = None
        pause = 0.2  # s; grows, so that tiny studies are quick and long ones are left in peace
        while True:
            studies = {study["name"]: study for study in self.ask("study", "list")}
            studies = {name: studies[name] for name in names}
            for study in studies.values():
                if study["state"] in ("failed", "stopped"):
                    raise Problem(f"study {study['name']} has {study['state']}: "
                                  f"{study['message'] or 'no reason given'} ({self.log}); "
                                  "it is not run again, use another --out")
            line = progress_line(list(studies.values()))
            if line != shown:
                print(f"{title}: {line}", flush=True)
                shown = line
            if all(study["state"] == "completed" for study in studies.values()):
                return studies
            time.sleep(pause)
            pause = min(2.0, pause * 1.3)

    def close(self):
        """Ends the server, which ends its workers; at once where it does not obey."""
        self.process.terminate()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def program(binaries, name):
    path = os.path.join(binaries, name)
    if not os.path.exists(path):
        raise Problem(f"{path} is not there; build it (deploy/build.sh) or name its folder with "
                      "--bin")
    return path


def progress_line(studies):
    going = [study for study in studies if study["state"] != "completed"]
    trials = sum(study["progress"][key] for study in studies
                 for key in ("trials_succeeded", "trials_infeasible", "trials_failed"))
    line = f"{len(studies) - len(going)} of {len(studies)} studies, {trials} trials"
    phases = sorted({study["phase"] if study["state"] == "active" else study["state"]
                     for study in going})
    waits = sorted({wait for study in going for wait in study["progress"]["waits"]})
    return "; ".join([line] + phases + waits)


class Runner:
    """Runs studies, one seed at a time, and reads what they measured."""

    def __init__(self, experiment, binaries, out):
        self.experiment = experiment
        self.binaries = binaries
        self.out = out
        self.architecture_sizes = {}  # by supernet

    def run(self, seed, title, studies):
        """`studies` by name; returns for each name its trials and resolved configuration."""
        if not studies:
            return {}
        named = [{"name": name, "seed": seed, **study} for name, study in studies.items()]
        folder = os.path.join(self.out, f"seed-{seed}")
        server = Coordinator(self.binaries, folder, self.experiment.server, named)
        try:
            ended = server.wait(list(studies), f"seed {seed}, {title}")
            return {name: {"config": ended[name]["config"],
                           "trials": read_trials(server.ask("trial", "list", name),
                                                 ended[name]["config"], name)}
                    for name in studies}
        finally:
            server.close()

    def architecture_of(self, seed, trial, study):
        """The choices of a trial that are no bit-widths: those stand behind the others."""
        if "quantization" not in study["supernet"]:
            return trial["candidate"]
        supernet = without(study["supernet"], "quantization")
        key = canonical(supernet)
        if key not in self.architecture_sizes:
            self.architecture_sizes[key] = self._architecture_size(seed, study, supernet)
        return ".".join(trial["candidate"].split(".")[:self.architecture_sizes[key]])

    def _architecture_size(self, seed, study, supernet):
        """Length of a candidate without bits: asked of the server, by a study of one trial."""
        probe = without(study, "constraints", "finetune")
        probe.update({"supernet": supernet, "search": {"algorithm": "random", "trials": 1}})
        name = hashed_name("space", probe)
        trials = self.run(seed, "space without bits", {name: probe})[name]["trials"]
        return trials[0]["candidate"].count(".") + 1


def without(settings, *keys):
    return {key: value for key, value in settings.items() if key not in keys}


def canonical(value):
    return json.dumps(value, sort_keys=True)


def hashed_name(prefix, study):
    """A name for settings that follow from results: other settings are another study."""
    return f"{prefix}.{hashlib.sha256(canonical(study).encode()).hexdigest()[:12]}"


def metric_key(entry):
    return f"{entry['metric']}[{entry['target']}]" if entry.get("target") else entry["metric"]


def values_of(measurements):
    return {key: measurement["value"] for key, measurement in measurements.items()}


def is_feasible(trial, values, constraints):
    """Succeeded and within all constraints; what was not measured is not held against it."""
    for constraint in constraints:
        value = values.get(metric_key(constraint))
        if value is not None and not (constraint.get("min", value) <= value
                                      <= constraint.get("max", value)):
            return False
    return trial["state"] == "succeeded"


def read_trials(trials, config, study):
    """What is needed of a study's trials, in the order in which they were proposed."""
    read = []
    for trial in sorted(trials, key=lambda trial: trial["number"]):
        values = values_of(trial["measured"])
        read.append({"study": study, "number": trial["number"],
                     "candidate": ".".join(map(str, trial["choices"])), "measured": values,
                     "finetuned": values_of(trial["finetuned"]),
                     "feasible": is_feasible(trial, values, config.get("constraints", []))})
    return read


def given(study, candidates):
    """`study`, but it scores these candidates and no others."""
    search = {"algorithm": "given", "trials": len(candidates), "agent": {"candidates": candidates}}
    return {**study, "search": search}


# ---- The phases of one seed --------------------------------------------------------------------


def run_searches(runner, seed):
    """Trials of every search, by label."""
    experiment = runner.experiment
    plain = {slug(search["label"]): experiment.study_of(search)
             for search in experiment.searches if "architecture_from" not in search}
    results = runner.run(seed, "searches", plain)
    studies = {}
    for search in experiment.searches:
        if "architecture_from" in search:
            studies.update(studies_from_architectures(runner, seed, search, results))
    results.update(runner.run(seed, "searches of given architectures", studies))
    return {search["label"]: trials_of(search["label"], results) for search in experiment.searches}


def trials_of(label, results):
    """Of the search's study, or of its studies NAME.1, NAME.2 and so on."""
    return [trial for name, result in results.items() if name.split(".")[0] == slug(label)
            for trial in result["trials"]]


def studies_from_architectures(runner, seed, search, results):
    """A study for each chosen architecture; together they have the trials of the search."""
    origin = search["architecture_from"]
    source = runner.experiment.search(origin["search"])
    result = results[slug(source["label"])]
    keys = [metric_key(objective) for objective in result["config"]["objectives"]]
    front = [trial for trial, _ in front_of_trials(result["trials"], keys)]
    study = runner.experiment.study_of(search)
    found = [runner.architecture_of(seed, trial, runner.experiment.study_of(source))
             for trial in front]
    architectures = report.spread_evenly(list(dict.fromkeys(found)), origin["count"])
    if not architectures:
        raise Problem(f"seed {seed}: the search {source['label']} has no front to take "
                      "architectures from")
    counts = report.shares(study["search"]["trials"], len(architectures))
    return {f"{slug(search['label'])}.{i}":
            merged(study, {"search": {"architecture": architecture, "trials": count}})
            for i, (architecture, count) in enumerate(zip(architectures, counts), 1)}


def front_of_trials(trials, keys):
    """(trial, scores) of the front among the feasible trials, best by the first key first."""
    compared = compared_trials(trials, keys)
    return [compared[i] for i in report.front_of([scores for _, scores in compared])]


def compared_trials(trials, keys):
    return [(trial, [report.score(key, trial["measured"][key]) for key in keys])
            for trial in trials
            if trial["feasible"] and all(key in trial["measured"] for key in keys)]


def run_finals(runner, seed, found):
    """The entry of results.json for every final, by label; `found`: trials by search."""
    experiment = runner.experiment
    studies = {}
    winners = {}
    for final in experiment.finals:
        winner = winner_of(experiment, experiment.search(final["of"]), found)
        if winner is None:
            continue
        study = final_study(runner, seed, final, winner)
        winners[final["label"]] = hashed_name("final", study), study
        studies[winners[final["label"]][0]] = study
    results = runner.run(seed, "finals", studies)
    entries = {}
    for final in experiment.finals:
        entries[final["label"]] = {"seed": seed, "value": None}
        if final["label"] in winners:
            name, study = winners[final["label"]]
            trial = results[name]["trials"][0]
            entries[final["label"]] = final_entry(experiment, seed, final["label"], study, trial)
    return entries


def final_study(runner, seed, final, winner):
    search = runner.experiment.search(final["of"])
    searched = runner.experiment.study_of(search)
    study = runner.experiment.study_of(search, final.get("study", {}))
    had_bits = "quantization" in searched["supernet"]
    if "quantization" in study["supernet"]:
        if not had_bits:
            raise Problem(f"final {final['label']}: quantization without bits in {final['of']}")
        candidate = winner["candidate"]
    else:
        candidate = runner.architecture_of(seed, winner, searched)
    return given(study, [candidate])


def final_entry(experiment, seed, label, study, trial):
    tuned = study.get("finetune", {}).get("top", 0) > 0
    values = trial["finetuned"] if tuned else trial["measured"]
    if experiment.metric not in values:
        print(f"compare: seed {seed}, final {label}: no {experiment.metric}", file=sys.stderr)
    return {"seed": seed, "value": values.get(experiment.metric), "candidate": trial["candidate"],
            "study": trial["study"], "before_finetuning": trial["measured"].get(experiment.metric),
            "size_bytes": trial["measured"].get("size_bytes"),
            "quantized_size_ratio": trial["measured"].get("quantized_size_ratio")}


# ---- Across seeds ------------------------------------------------------------------------------


def run_again(runner, seeds, found):
    """{(label, source seed): {other seed: value}} of every search's best candidate.

    The best of many noisy draws is partly luck of the supernet that scored it; another one, of
    another seed, knows nothing of that luck.
    """
    experiment = runner.experiment
    scores = {}
    for seed in seeds:
        wanted = [(search, source, winner)
                  for search in experiment.searches for source in seeds if source != seed
                  if (winner := winner_of(experiment, search, found[source])) is not None]
        groups = {}  # searches of one space share a study; a dict keeps the order of candidates
        for search, _, winner in wanted:
            study = again_study(experiment, search)
            candidates = groups.setdefault(canonical(study), (study, {}))[1]
            candidates[winner["candidate"]] = None
        values = again_values(runner, seed, groups)
        for search, source, winner in wanted:
            key = canonical(again_study(experiment, search)), winner["candidate"]
            scores.setdefault((search["label"], source), {})[seed] = values.get(key)
    return scores


def winner_of(experiment, search, found):
    return report.best_of(found[search["label"]], experiment.metric)


def again_study(experiment, search):
    """Everything of a search's study that a score depends on."""
    study = experiment.study_of(search, experiment.again.get("study", {}))
    # Objectives steer a search; a score needs the metric alone.
    return {**without(study, "search", "finetune", "constraints"),
            "objectives": [objective_of(experiment.metric)]}


def objective_of(key):
    name, _, target = key.rstrip("]").partition("[")
    return {"metric": name, "target": target} if target else {"metric": name}


def again_values(runner, seed, groups):
    studies = {}
    names = {}
    for key, (study, candidates) in groups.items():
        study = given(study, list(candidates))
        names[key] = hashed_name("again", study)
        studies[names[key]] = study
    results = runner.run(seed, "best candidates of other seeds", studies)
    return {(key, trial["candidate"]): trial["measured"].get(runner.experiment.metric)
            for key, name in names.items() for trial in results[name]["trials"]}


def evaluations_before(experiment, search, found):
    """What was spent on finding the architectures of a search."""
    origin = search.get("architecture_from")
    return len(found[origin["search"]]) if origin else 0


def search_row(experiment, search, seeds, found, scores):
    entries = []
    for seed in seeds:
        trials = found[seed][search["label"]]
        winner = winner_of(experiment, search, found[seed])
        again = scores.get((search["label"], seed), {})
        known = [value for value in again.values() if value is not None]
        entries.append({"seed": seed,
                        "value": winner and winner["measured"][experiment.metric],
                        "candidate": winner and winner["candidate"],
                        "study": winner and winner["study"],
                        "trial": winner and winner["number"],
                        "evaluations": len(trials),
                        "evaluations_before": evaluations_before(experiment, search, found[seed]),
                        "curve": report.best_so_far(trials, experiment.metric),
                        "again": {str(other): value for other, value in again.items()},
                        "again_mean": statistics.mean(known) if known else None})
    return {"label": search["label"], "seeds": entries}


def front_results(experiment, seeds, found):
    """Hypervolumes by group and seed, all within the ranges seen over all groups and seeds."""
    if experiment.front is None:
        return None
    keys = experiment.front["objectives"]
    compared = {(group["label"], seed): compared_trials(group_trials(group, found[seed]), keys)
                for group in experiment.front["groups"] for seed in seeds}
    points = [scores for trials in compared.values() for _, scores in trials]
    if not points:
        raise Problem(f"front: no feasible trial has {' and '.join(keys)}")
    ranges = [(min(column), max(column)) for column in zip(*points)]
    groups = []
    for group in experiment.front["groups"]:
        entries = [front_entry(experiment, group, seed, compared[group["label"], seed], ranges,
                               found[seed]) for seed in seeds]
        groups.append({"label": group["label"], "searches": group["searches"], "seeds": entries})
    worst = {key: report.score(key, low) for key, (low, _) in zip(keys, ranges)}
    best = {key: report.score(key, high) for key, (_, high) in zip(keys, ranges)}
    return {"objectives": keys, "worst": worst, "best": best, "groups": groups}


def group_trials(group, found):
    return [trial for label in dict.fromkeys(group["searches"]) for trial in found[label]]


def front_entry(experiment, group, seed, compared, ranges, found):
    keys = experiment.front["objectives"]
    scores = [scores for _, scores in compared]
    front = [compared[i] for i in report.front_of(scores)]
    # Searches whose architectures the group took are paid for by it.
    paid = {label for name in group["searches"]
            for label in (name, experiment.search(name).get("architecture_from", {}).get("search"))}
    return {"seed": seed,
            "hypervolume": report.hypervolume(report.scaled([s for _, s in front], ranges)),
            "evaluations": sum(len(found[label]) for label in paid if label is not None),
            "front": [[trial["measured"][key] for key in keys] for trial, _ in front]}


# ---- The program -------------------------------------------------------------------------------


def run_experiment(runner, seeds):
    """Everything of results.json."""
    experiment = runner.experiment
    found, finals, scores = {}, {}, {}
    for seed in seeds:
        found[seed] = run_searches(runner, seed)
        if seed in seeds[:experiment.final_seeds]:
            finals[seed] = run_finals(runner, seed, found[seed])
    if experiment.again is not None and len(seeds) > 1:
        scores = run_again(runner, seeds, found)
    return {"metric": experiment.metric, "seeds": seeds,
            "searches": [search_row(experiment, search, seeds, found, scores)
                         for search in experiment.searches],
            "finals": [{"label": final["label"], "of": final["of"],
                        "seeds": [entries[final["label"]] for entries in finals.values()]}
                       for final in experiment.finals],
            "front": front_results(experiment, seeds, found)}


def write_results(out, results):
    """The pictures are drawn from what results.json has, so they can be drawn again from it."""
    write_text(os.path.join(out, "results.json"), json.dumps(results, indent=1) + "\n")
    text = report.tables(results)
    write_text(os.path.join(out, "table.md"), text)
    report.draw_curves(os.path.join(out, "curves.svg"), results)
    if results["front"]:
        report.draw_fronts(os.path.join(out, "front.svg"), results)
    print(f"\n{text}\n{out}: results.json, table.md and pictures")


def check_only(experiment, binaries, has_data):
    """Lets the server check every study that is known before a search has ended; whether the data
    is there only where it was named."""
    studies = {slug(search["label"]): experiment.study_of(search)
               for search in experiment.searches}
    for final in experiment.finals:
        study = experiment.study_of(experiment.search(final["of"]), final.get("study", {}))
        # Its candidate is not known yet.
        study["search"] = {"algorithm": "random", "trials": 1}
        studies[f"final.{slug(final['label'])}"] = study
    named = [{"name": name, "seed": experiment.seeds[0], **study}
             for name, study in studies.items()]
    # The server looks for data where workers of its own would need it.
    server = experiment.server if has_data else {**experiment.server, "local_workers": 0}
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "config.json")
        write_text(config, json.dumps({"server": server, "studies": named}))
        answer = subprocess.run([program(binaries, "search-server"), "--config", config, "--check"],
                                capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        # "FILE: /studies/3/train/...": the file is gone, the study has a name.
        text = re.sub(r"\S*: /studies/(\d+)", lambda found: list(studies)[int(found[1])] + ": ",
                      answer.stderr.strip())
        raise Problem(text)
    print(f"{experiment.where}: {len(named)} studies are valid")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", help="JSON file (deploy/experiments/README.md)")
    parser.add_argument("--out", help="folder of stores and results")
    parser.add_argument("--seeds", help="with commas, in place of those of the file")
    parser.add_argument("--data", help="folder of the data: study.dataset.root")
    parser.add_argument("--bin", default=os.path.join(REPOSITORY, "build", "release", "bin"),
                        help="folder of search-server and search-client [build/release/bin]")
    parser.add_argument("--check", action="store_true", help="check the experiment and end")
    arguments = parser.parse_args()
    if arguments.out is None and not arguments.check:
        parser.error("--out is missing")
    return arguments


def load_experiment(arguments):
    experiment = parse_json(read_text(arguments.experiment), arguments.experiment)
    experiment = Experiment(experiment, arguments.experiment)
    if arguments.seeds is not None:
        numbers = arguments.seeds.split(",")
        experiment.seeds = [int(text) if text.strip().isdigit() else text for text in numbers]
        check_seeds(experiment.seeds, "--seeds")
    if arguments.data is not None:
        folder = os.path.abspath(arguments.data)
        if not os.path.isdir(folder):
            raise Problem(f"--data: {folder} is no folder")
        experiment.study = merged(experiment.study, {"dataset": {"root": folder}})
    return experiment


def run(arguments):
    experiment = load_experiment(arguments)
    if arguments.check:
        check_only(experiment, arguments.bin, arguments.data is not None)
        return
    out = os.path.abspath(arguments.out)
    try:
        os.makedirs(out, exist_ok=True)
    except OSError as error:
        raise Problem(f"--out: {out}: {error.strerror}") from None
    runner = Runner(experiment, arguments.bin, out)
    write_results(out, run_experiment(runner, experiment.seeds))


def main():
    arguments = parse_arguments()
    # As Ctrl-C: the server is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run(arguments)
    except Problem as problem:
        print(f"compare: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("compare: interrupted; started again it goes on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
