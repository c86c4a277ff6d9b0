"""The experiment that compare.py runs: its file, read and checked."""

import json
import os
import re


class Problem(Exception):
    """Something that the user can mend; the text says what."""


def parse_json(text, where):
    """JSON with // and /* */ comments, as the server reads it."""
    def keep_strings(found):
        return found[0] if found[0].startswith('"') else " "

    plain = re.sub(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', keep_strings, text, flags=re.DOTALL)
    try:
        value = json.loads(plain, object_pairs_hook=Object)
    except ValueError as error:
        raise Problem(f"{where}: {error}") from None
    twice = key_given_twice(value, "")
    if twice:
        raise Problem(f"{where}: {twice}: this key is given twice; keep one of the two")
    return value


class Object(dict):
    """A JSON object that knows which of its keys the text had twice."""

    def __init__(self, pairs=()):
        super().__init__(pairs)
        keys = [key for key, _ in pairs]
        self.twice = next((key for key in keys if keys.count(key) > 1), None)


def key_given_twice(value, pointer):
    """The JSON pointer of one such key in what was read, or None."""
    if getattr(value, "twice", None) is not None:
        return f"{pointer}/{value.twice}"
    if isinstance(value, dict):
        entries = value.items()
    else:
        entries = enumerate(value) if isinstance(value, list) else ()
    found = (key_given_twice(entry, f"{pointer}/{key}") for key, entry in entries)
    return next((at for at in found if at), None)


def read_text(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}") from None


def write_text(path, text):
    """Whole or not at all."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


def merged(target, patch):
    """JSON merge patch (RFC 7386): objects are merged, null deletes, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


TEXT, LIST = (str, "a text"), (list, "a list")
OBJECT, COUNT = (dict, "an object"), (int, "a whole number")


def check(value, where, required, optional=None):
    """That `value` is an object with these keys and no others; both map a key to its type."""
    types = {**required, **(optional or {})}
    if not isinstance(value, dict):
        raise Problem(f"{where}: expected an object, found {json.dumps(value)}")
    for key in value:
        if key not in types:
            raise Problem(f'{where}: unknown key "{key}"; known: {", ".join(types)}')
    for key in required:
        if key not in value:
            raise Problem(f'{where}: "{key}" is missing')
    for key, found in value.items():
        expected, name = types[key]
        if not isinstance(found, expected) or isinstance(found, bool):
            raise Problem(f"{where}/{key}: expected {name}, found {json.dumps(found)}")


def check_patch(study, where):
    for key in ("name", "seed"):
        if key in study:
            raise Problem(f'{where}: leave "{key}" out, compare.py sets it')


def check_labels(entries, where):
    """Labels become names of studies, so what is left of them there must differ, too."""
    names = [slug(entry["label"]) for entry in entries]
    for index, name in enumerate(names):
        if not name or name in names[:index]:
            raise Problem(f'{where}/{index}/label: "{entries[index]["label"]}" is empty or too '
                          "like an earlier one")


def slug(label):
    """What a study may be called; without a dot, which stands between it and what we append."""
    return re.sub(r"[^a-z0-9_]+", "-", label.lower()).strip("-_")[:60]


class Experiment:
    """A checked experiment file."""

    def __init__(self, json_object, where):
        check(json_object, where,
              {"seeds": LIST, "metric": TEXT, "study": OBJECT, "searches": LIST},
              {"server": OBJECT, "finals": LIST, "final_seeds": COUNT, "again": OBJECT,
               "front": OBJECT})
        self.where = where
        self.seeds = json_object["seeds"]
        self.metric = json_object["metric"]
        self.server = json_object.get("server", {})
        self.study = json_object["study"]
        self.searches = json_object["searches"]
        self.finals = json_object.get("finals", [])
        self.final_seeds = json_object.get("final_seeds")  # None: all
        self.again = json_object.get("again")
        self.front = json_object.get("front")
        self._check_base()
        self._check_searches()
        self._check_finals()
        self._check_front()

    def _check_base(self):
        check_seeds(self.seeds, f"{self.where}/seeds")
        check_patch(self.study, f"{self.where}/study")
        for key in ("grpc", "store"):
            if key in self.server:
                raise Problem(f'{self.where}/server: leave "{key}" out, compare.py sets it')
        if self.again is not None:
            check(self.again, f"{self.where}/again", {}, {"study": OBJECT})

    def _check_searches(self):
        if not self.searches:
            raise Problem(f"{self.where}/searches: expected at least one")
        for index, search in enumerate(self.searches):
            where = f"{self.where}/searches/{index}"
            check(search, where, {"label": TEXT, "study": OBJECT}, {"architecture_from": OBJECT})
            check_patch(search["study"], where + "/study")
        check_labels(self.searches, f"{self.where}/searches")
        for index, search in enumerate(self.searches):
            self._check_origin(search, f"{self.where}/searches/{index}/architecture_from")

    def _check_origin(self, search, where):
        origin = search.get("architecture_from")
        if origin is None:
            return
        check(origin, where, {"search": TEXT, "count": COUNT})
        self._check_label(origin["search"], where + "/search")
        if "architecture_from" in self.search(origin["search"]):
            raise Problem(f"{where}/search: a search that has architecture_from itself")
        trials = self.study_of(search).get("search", {}).get("trials")
        if not isinstance(trials, int) or not 1 <= origin["count"] <= trials:
            raise Problem(f"{where}/count: expected 1 to search.trials, which must be given; found "
                          f"{origin['count']} and {json.dumps(trials)}")

    def _check_finals(self):
        for index, final in enumerate(self.finals):
            where = f"{self.where}/finals/{index}"
            check(final, where, {"label": TEXT, "of": TEXT}, {"study": OBJECT})
            self._check_label(final["of"], where + "/of")
            check_patch(final.get("study", {}), where + "/study")
        check_labels(self.finals, f"{self.where}/finals")
        if self.final_seeds is not None and self.final_seeds < 1:
            raise Problem(f"{self.where}/final_seeds: expected at least 1")

    def _check_front(self):
        if self.front is None:
            return
        where = f"{self.where}/front"
        check(self.front, where, {"objectives": LIST, "groups": LIST})
        if len(self.front["objectives"]) < 2 or not self.front["groups"]:
            raise Problem(f"{where}: expected two or more objectives and at least one group")
        for index, group in enumerate(self.front["groups"]):
            check(group, f"{where}/groups/{index}", {"label": TEXT, "searches": LIST})
            for label in group["searches"]:
                self._check_label(label, f"{where}/groups/{index}/searches")

    def _check_label(self, label, where):
        labels = [search["label"] for search in self.searches]
        if label not in labels:
            raise Problem(f'{where}: no search "{label}"; there are {", ".join(labels)}')

    def search(self, label):
        return next(search for search in self.searches if search["label"] == label)

    def study_of(self, search, *patches):
        """The study of a search, with further patches, but for its name and seed."""
        study = merged(self.study, search["study"])
        for patch in patches:
            study = merged(study, patch)
        return study


def check_seeds(seeds, where):
    whole = all(isinstance(seed, int) and not isinstance(seed, bool) for seed in seeds)
    if not seeds or not whole or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise Problem(f"{where}: expected different whole numbers from 0 on, found "
                      f"{json.dumps(seeds)}")
