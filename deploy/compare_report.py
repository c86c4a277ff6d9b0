"""The maths, tables and pictures of compare.py. The examples are tests: python3 -m doctest FILE."""

import html
import math
import statistics

HIGHER_IS_BETTER = {"miou", "instance_miou", "class_miou", "accuracy", "balanced_accuracy"}
# Okabe and Ito's colours, which most colour-blind people tell apart, with grey for their yellow,
# which is faint on white.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#000000", "#e69f00", "#999999"]
GREY = "#666666"


# ---- Values ------------------------------------------------------------------------------------


def score(key, value):
    """Turned so that larger is better; `key` is a metric, perhaps with a target.

    >>> score("miou", 0.5), score("latency_ms[local]", 3.0)
    (0.5, -3.0)
    """
    return value if key.split("[")[0] in HIGHER_IS_BETTER else -value


def best_of(trials, metric):
    """The feasible trial with the best value, the first of equals; None where there is none."""
    scored = [trial for trial in trials if trial["feasible"] and metric in trial["measured"]]
    return max(scored, key=lambda trial: score(metric, trial["measured"][metric]), default=None)


def best_so_far(trials, metric):
    """The best value of a feasible trial after each evaluation; None until there is one.

    >>> trial = lambda feasible, value: {"feasible": feasible, "measured": {"miou": value}}
    >>> best_so_far([trial(False, 0.9), trial(True, 0.2), trial(True, 0.1), trial(True, 0.3)],
    ...             "miou")
    [None, 0.2, 0.2, 0.3]
    """
    curve = []
    for count in range(1, len(trials) + 1):
        known = [curve[-1]] if curve and curve[-1] is not None else []
        last = trials[count - 1]
        if last["feasible"] and metric in last["measured"]:
            known.append(last["measured"][metric])
        curve.append(max(known, key=lambda value: score(metric, value), default=None))
    return curve


def dominates(a, b):
    return all(x >= y for x, y in zip(a, b)) and any(x > y for x, y in zip(a, b))


def front_of(points):
    """Indices of the points that no other one dominates, the best by the first value first.

    >>> front_of([[1, 1], [0, 3], [2, 0], [0, 2], [2, 0]])
    [2, 4, 0, 1]
    """
    kept = [i for i, point in enumerate(points)
            if not any(dominates(other, point) for other in points)]
    return sorted(kept, key=lambda i: [-value for value in points[i]])


def hypervolume(points):
    """Volume between the origin and the points, which lie above it; larger is better.

    >>> hypervolume([[1, 3], [2, 2], [1, 1]]), hypervolume([[1, 1, 2], [2, 1, 1]])
    (5, 3)
    """
    if not points:
        return 0
    if len(points[0]) == 1:
        return max(0, max(point[0] for point in points))
    ordered = sorted(points, key=lambda point: -point[-1])
    volume = 0
    for count, point in enumerate(ordered, 1):
        below = ordered[count][-1] if count < len(ordered) else 0
        if point[-1] > below:
            slice_ = hypervolume([other[:-1] for other in ordered[:count]])
            volume += (point[-1] - below) * slice_
    return volume


def scaled(points, ranges):
    """Scores divided by the range seen, 0 for the worst: no unit outweighs another.

    >>> scaled([[5, 1]], [(0, 10), (1, 1)])
    [[0.5, 0]]
    """
    return [[(value - low) / (high - low) if high > low else 0
             for value, (low, high) in zip(point, ranges)] for point in points]


def spread_evenly(items, count):
    """`count` of the items, evenly spaced, with both ends; the middle one for a count of 1.

    >>> spread_evenly("abcdefg", 3), spread_evenly("abc", 1), spread_evenly("ab", 4)
    (['a', 'd', 'g'], ['b'], ['a', 'b'])
    """
    if len(items) <= count:
        return list(items)
    if count == 1:
        return [items[(len(items) - 1) // 2]]
    return [items[i * (len(items) - 1) // (count - 1)] for i in range(count)]


def shares(total, count):
    """`total` in `count` parts that differ by at most 1.

    >>> shares(10, 4)
    [3, 3, 2, 2]
    """
    return [total // count + (1 if i < total % count else 0) for i in range(count)]


def mean_spread(values):
    """Mean and standard deviation of a sample; None where one value shows no spread."""
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None


def paired(values, reference):
    """Differences of what has the same place in both; None where either lacks it.

    >>> paired([3, None, 5], [1, 1, None])
    [2, None, None]
    """
    return [None if a is None or b is None else a - b for a, b in zip(values, reference)]


# ---- Tables ------------------------------------------------------------------------------------


def number(value, sign=""):
    return format(value, f"{sign}.4f" if abs(value) < 10 else f"{sign}.4g")


def cell(values, sign=""):
    """Mean ± standard deviation, and of how many seeds where some have no value.

    >>> cell([0.5, 0.7]), cell([0.5]), cell([None]), cell([1, 3, None], "+")
    ('0.6000 ± 0.1414', '0.5000', '-', '+2.0000 ± 1.4142 (2 of 3)')
    """
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    mean, spread = mean_spread(known)
    text = number(mean, sign) + ("" if spread is None else f" ± {number(spread)}")
    return text + (f" ({len(known)} of {len(values)})" if len(known) < len(values) else "")


def names(seeds):
    return ", ".join(map(str, seeds))


def count_cell(counts):
    """One number, or the smallest and the largest.

    >>> count_cell([96, 96]), count_cell([3, 12, 7])
    ('96', '3 to 12')
    """
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def markdown(header, rows):
    lines = ["| " + " | ".join(header) + " |", "| --- |" + " ---: |" * (len(header) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows] + [""]


def column(row, key):
    return [entry.get(key) for entry in row["seeds"]]


def difference(row, first, key):
    """The cell of the differences to the first row, seed by seed."""
    return "-" if row is first else cell(paired(column(row, key), column(first, key)), "+")


def evaluations_cell(row):
    before = max(entry["evaluations_before"] for entry in row["seeds"])
    own = count_cell(column(row, "evaluations"))
    return f"{own}, after {before}" if before else own


def search_table(results):
    rows = results["searches"]
    first = rows[0]
    header = ["search", "evaluations", f"best {results['metric']} in the search",
              f"difference to {first['label']}"]
    with_again = any(value is not None for row in rows for value in column(row, "again_mean"))
    if with_again:
        header += ["again on other supernets", f"difference to {first['label']}"]
    lines = []
    for row in rows:
        line = [row["label"], evaluations_cell(row), cell(column(row, "value")),
                difference(row, first, "value")]
        if with_again:
            line += [cell(column(row, "again_mean")), difference(row, first, "again_mean")]
        lines.append(line)
    return ["## Searches", ""] + markdown(header, lines)


def known_mean(values, form):
    known = [value for value in values if value is not None]
    return format(statistics.mean(known), form) if known else "-"


def final_table(results):
    rows = results["finals"]
    first = rows[0]
    lines = [[row["label"], cell(column(row, "value")), difference(row, first, "value"),
              known_mean(column(row, "size_bytes"), ".0f"),
              known_mean(column(row, "quantized_size_ratio"), ".4f")] for row in rows]
    header = ["network", results["metric"], f"difference to {first['label']}", "size_bytes",
              "quantized_size_ratio"]
    text = ["## Networks", ""] + markdown(header, lines)
    if len(first["seeds"]) < len(results["seeds"]):
        text += [f"Of the seeds {names(column(first, 'seed'))}.", ""]
    return text


def front_table(results):
    rows = results["front"]["groups"]
    lines = [[row["label"], count_cell(column(row, "evaluations")),
              cell(column(row, "hypervolume")), difference(row, rows[0], "hypervolume")]
             for row in rows]
    header = ["group", "evaluations", "hypervolume", f"difference to {rows[0]['label']}"]
    objectives = ", ".join(results["front"]["objectives"])
    return [f"## Fronts by {objectives}", ""] + markdown(header, lines)


def tables(results):
    """The text of table.md."""
    lines = search_table(results)
    if results["finals"]:
        lines += final_table(results)
    if results["front"]:
        lines += front_table(results)
    lines.append(f"Mean ± standard deviation over the seeds {names(results['seeds'])}; differences "
                 "are taken seed by seed before that.")
    return "\n".join(lines) + "\n"


# ---- Pictures ----------------------------------------------------------------------------------


def ticks(low, high):
    """About five round numbers within the range.

    >>> ticks(0.31, 0.52)
    [0.35, 0.4, 0.45, 0.5]
    """
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    return [float(f"{i * step:.12g}")
            for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


class Chart:
    """An SVG with two axes and a legend at the right; positions are in the data's units."""

    HEIGHT, LEFT, INNER_WIDTH, TOP, BOTTOM = 440, 76, 540, 36, 52

    def __init__(self, xs, ys, titles, labels):
        self.right = self.LEFT + self.INNER_WIDTH
        width = self.right + 60 + 7 * max(map(len, labels))  # 7: of a letter, roughly
        self.x_range, self.y_range = self._padded(xs, 0.02), self._padded(ys, 0.06)
        self.legend_rows = 0
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {self.HEIGHT}" '
            f'width="{width}" height="{self.HEIGHT}" font-family="sans-serif" '
            'font-size="12">',
            f'<rect width="{width}" height="{self.HEIGHT}" fill="white"/>']
        self._axes(*titles)

    @staticmethod
    def _padded(values, share):
        low, high = min(values), max(values)
        margin = share * (high - low) or abs(low) * 0.05 or 1
        return low - margin, high + margin

    def _x(self, value):
        low, high = self.x_range
        return self.LEFT + self.INNER_WIDTH * (value - low) / (high - low)

    def _y(self, value):
        low, high = self.y_range
        inner = self.HEIGHT - self.TOP - self.BOTTOM
        return self.HEIGHT - self.BOTTOM - inner * (value - low) / (high - low)

    def _path(self, points):
        return " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in points)

    def _text(self, x, y, text, anchor="start"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
                          f"{html.escape(text)}</text>")

    def _line(self, x1, y1, x2, y2, stroke):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'stroke="{stroke}"/>')

    def _axes(self, x_title, y_title):
        right, bottom = self.right, self.HEIGHT - self.BOTTOM
        for value in ticks(*self.y_range):
            self._line(self.LEFT, self._y(value), right, self._y(value), "#dddddd")
            self._text(self.LEFT - 6, self._y(value) + 4, f"{value:.6g}", "end")
        for value in ticks(*self.x_range):
            self._line(self._x(value), bottom, self._x(value), bottom + 4, GREY)
            self._text(self._x(value), bottom + 18, f"{value:.6g}", "middle")
        self._line(self.LEFT, bottom, right, bottom, GREY)
        self._text((self.LEFT + right) / 2, self.HEIGHT - 10, x_title, "middle")
        self._text(self.LEFT, 18, y_title)

    def line(self, points, colour, dash="", width=2):
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<polyline points="{self._path(points)}" fill="none" stroke="{colour}" '
                          f'stroke-width="{width}"{dashes}/>')

    def band(self, lower, upper, colour):
        self.parts.append(f'<polygon points="{self._path(upper + lower[::-1])}" fill="{colour}" '
                          'fill-opacity="0.12"/>')

    def dot(self, point, colour, radius=3.5, opacity=1):
        self.parts.append(f'<circle cx="{self._x(point[0]):.1f}" cy="{self._y(point[1]):.1f}" '
                          f'r="{radius}" fill="{colour}" fill-opacity="{opacity}"/>')

    def legend(self, label, colour, dash=""):
        x, y = self.right + 14, self.TOP + 10 + 20 * self.legend_rows
        self.legend_rows += 1
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<line x1="{x}" y1="{y}" x2="{x + 26}" y2="{y}" stroke="{colour}" '
                          f'stroke-width="3"{dashes}/>')
        self._text(x + 34, y + 4, label)

    def write(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(self.parts + ["</svg>"]) + "\n")


def style_of(index):
    """Colour and dashes: eight colours, then the same ones dashed."""
    return COLOURS[index % len(COLOURS)], "7 3" if index // len(COLOURS) % 2 else ""


def curve_points(row):
    """(evaluations, mean, deviation) from where every seed has a feasible trial.

    A search that ended early with one seed keeps its best there. What was spent before a search,
    on finding its architectures, counts.
    """
    curves = [entry["curve"] for entry in row["seeds"]]
    before = max(entry["evaluations_before"] for entry in row["seeds"])
    points = []
    for count in range(max(map(len, curves))):
        values = [curve[min(count, len(curve) - 1)] for curve in curves if curve]
        if len(values) == len(curves) and None not in values:
            mean, spread = mean_spread(values)
            points.append((before + count + 1, mean, spread or 0))
    return points


def draw_curves(path, results):
    rows = [(row, curve_points(row)) for row in results["searches"]]
    points = [point for _, line in rows for point in line]
    if not points:
        return
    last = max(x for x, _, _ in points)
    chart = Chart([x for x, _, _ in points],
                  [end for _, mean, spread in points for end in (mean - spread, mean + spread)],
                  ("evaluations",
                   f"best {results['metric']} so far: mean and standard deviation over seeds"),
                  [row["label"] for row, _ in rows])
    for index, (row, line) in enumerate(rows):
        colour, dash = style_of(index)
        chart.legend(row["label"], colour, dash)
        if not line:
            continue
        chart.band([(x, mean - spread) for x, mean, spread in line],
                   [(x, mean + spread) for x, mean, spread in line], colour)
        chart.line([(x, mean) for x, mean, _ in line], colour, dash)
        end, mean, _ = line[-1]
        chart.dot((end, mean), colour)
        if end < last:  # the search was over: nothing is claimed beyond but what it had found
            chart.line([(end, mean), (last, mean)], colour, "1 5", 1.2)
    chart.write(path)


def stairs(points, key_x):
    """The border of what a front dominates, from its best x on."""
    ordered = sorted(points, key=lambda point: -score(key_x, point[0]))
    path = ordered[:1]
    for before, after in zip(ordered, ordered[1:]):
        path += [(after[0], before[1]), after]
    return path


def draw_fronts(path, results):
    """Fronts of the first seed: the first objective upwards, the second to the right."""
    key_y, key_x = results["front"]["objectives"][:2]
    groups = [(row["label"], [(point[1], point[0]) for point in row["seeds"][0]["front"]])
              for row in results["front"]["groups"]]
    everything = [point for _, points in groups for point in points]
    if not everything:
        return
    chart = Chart([x for x, _ in everything], [y for _, y in everything],
                  (key_x, f"{key_y}; fronts of seed {results['seeds'][0]}"),
                  [label for label, _ in groups])
    for index, (label, points) in enumerate(groups):
        colour, dash = style_of(index)
        chart.legend(label, colour, dash)
        if len(results["front"]["objectives"]) == 2:  # else it is not a line in the plane
            chart.line(stairs(points, key_x), colour, dash, 1.2)
        for point in points:
            chart.dot(point, colour)
    chart.write(path)
