"""Works out again, with NumPy and SciPy or by counting, each figure that the verifier's functions
over series give: one JSON object a line with the function, its input and its answer. Prints how many
agree; the first one that does not ends it with what was expected."""

import itertools
import json
import math
import sys

import numpy as np
from scipy import stats

CLOSE = 1e-9


def pearson(a, b):
    return float(stats.pearsonr(a, b).statistic) if np.std(a) and np.std(b) else math.nan


def location(values):
    return [float(np.median(values)), float(stats.median_abs_deviation(values, scale="normal"))]


def best_lag(a, b, most):
    """The whole table of correlations, then its largest; the nearest to 0 of equal ones."""
    n = len(a)
    table = {k: pearson(a[max(k, 0) : n + min(k, 0)], b[max(-k, 0) : n - max(k, 0)]) for k in range(-most, most + 1)}
    lag = max(table, key=lambda k: (round(table[k], 12), -abs(k)))
    return [lag, table[lag]]


def cusum(z, slack, limit):
    """By the definition: the sum is the largest of all that end here, not a recursion."""
    found, start = [], 0
    for at in range(len(z)):
        for up in (True, False):
            steps = [(x if up else -x) - slack for x in z[start : at + 1]]
            tails = np.cumsum(steps[::-1])[::-1]
            if tails.max() > limit:
                # Dated to where the recursion last left 0: all partial sums since are positive.
                first = at
                running, begin = 0.0, start
                for place in range(start, at + 1):
                    if running <= 0:
                        running, begin = 0.0, place
                    running += steps[place - start]
                first = begin
                found.append([first, at, up])
                start = at + 1
                break
    return found


def changes(values, mean, weight, shape, rate, hazard):
    """Adams and MacKay with SciPy's Student density, over all run lengths at once."""
    n = len(values)
    began = np.array([0])
    logp = np.array([0.0])
    mu, kappa = np.array([mean]), np.array([weight])
    alpha, beta = np.array([shape]), np.array([rate])
    likely = []
    for at, x in enumerate(values):
        if at:
            total = np.logaddexp.reduce(logp) + math.log(hazard)
            began, logp = np.append(began, at), np.append(logp + math.log1p(-hazard), total)
            mu, kappa = np.append(mu, mean), np.append(kappa, weight)
            alpha, beta = np.append(alpha, shape), np.append(beta, rate)
        scale = np.sqrt(beta * (kappa + 1) / (alpha * kappa))
        logp = logp + stats.t.logpdf(x, 2 * alpha, loc=mu, scale=scale)
        beta = beta + kappa * (x - mu) ** 2 / (2 * (kappa + 1))
        mu = (kappa * mu + x) / (kappa + 1)
        kappa, alpha = kappa + 1, alpha + 0.5
        logp -= np.logaddexp.reduce(logp)
        likely.append(int(began[np.argmax(logp)]))
    found, end = [], n
    while end and likely[end - 1]:
        end = likely[end - 1]
        found.append(end)
    return found[::-1]


def pareto(values, threshold):
    """Shape and scale from the first two L-moments of the excesses (Hosking 1990)."""
    excess = np.array([v - threshold for v in values if v > threshold])
    if len(excess) < 50:
        return None
    first, second = stats.lmoment(excess, order=[1, 2], standardize=False)
    return [2 - first / second, first * (first / second - 1)]


def last_digits(values):
    if len(values) < 500 or max(values) - min(values) < 100:
        return None
    counts = np.bincount([abs(v) % 10 for v in values], minlength=10)
    found = stats.chisquare(counts)
    return [float(found.statistic), float(found.pvalue)]


def benford(values):
    sizes = sorted(abs(v) for v in values if v)
    if len(sizes) < 1000:
        return None
    last = len(sizes) - 1
    low, high = (sizes[math.floor(share * last + 0.5)] for share in (0.01, 0.99))
    if math.log10(high / low) < 3:
        return None
    firsts = [int(str(size)[0]) for size in sizes]
    return float(np.mean([abs(firsts.count(d) / len(sizes) - math.log10(1 + 1 / d)) for d in range(1, 10)]))


def line(x, y):
    found = stats.theilslopes(y, x, method="separate")
    residual = np.array(y) - found.intercept - found.slope * np.array(x)
    return [float(found.slope), float(found.intercept), location(residual)[1]]


def usual(parent, children, gain_sd):
    """Ridge regression towards gains of 1, by NumPy's solver, in three rounds with the noise."""
    share = np.array(children).T / np.array(parent)[:, None]
    noise, gains = gain_sd, np.ones(share.shape[1])
    for _ in range(3):
        trust = (noise / gain_sd) ** 2
        gains = np.linalg.solve(share.T @ share + trust * np.eye(len(gains)), share.sum(axis=0) + trust)
        off = np.abs(1 - share @ gains)
        noise = max(float(np.median(off)) / stats.norm.ppf(0.75), 1e-4)
    return [*map(float, gains), noise]


def filter_z(parent, children, gains, noise):
    """z of each child: its whitened regressor's product with the residual (Kay 4.3)."""
    share = np.array(children).T / np.array(parent)[:, None]
    residual = (1 - share @ np.array(gains)) / noise
    return [float(residual @ (u / np.linalg.norm(u))) for u in share.T]


def scaled(values, samples_min, difference_max, variation_min):
    """Every pair of windows, compared whole: what the search finds must be all that there is."""
    x = np.array(values)
    found = set()
    for lag in range(samples_min, len(x) - samples_min + 1):
        for at in range(len(x) - lag - samples_min + 1):
            one, other = x[at : at + samples_min], x[at + lag : at + lag + samples_min]
            if one.std() > variation_min * one.mean():
                if np.abs(one / one.mean() - other / other.mean()).max() <= difference_max:
                    found.add(lag)
    return sorted(found)


def great_circle(a, b):
    """By the angle between the vectors from the centre."""
    def vector(place):
        lat, lon = (math.radians(part / 1e7) for part in place)
        return np.array([math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)])
    one, other = vector(a), vector(b)
    return round(6_371_008.8 * math.atan2(float(np.linalg.norm(np.cross(one, other))), float(one @ other)))


def runs(values, samples_min):
    """Longest stretches of equal neighbours, by grouping."""
    lengths = [len(list(same)) for _, same in itertools.groupby(values)]
    starts = np.cumsum([0, *lengths[:-1]])
    return [[int(s), n] for s, n in zip(starts, lengths) if n >= samples_min]


def power_factor(active, reactive):
    return round(1e6 * math.cos(math.atan2(reactive, active)))


ANSWERS = {
    "chi_square_tail": lambda x, k: float(stats.chi2.sf(x, k)),
    "normal_tail": lambda z: float(stats.norm.sf(z)),
    "student_two_tails": lambda t, k: float(2 * stats.t.sf(abs(t), k)),
    "quantile": lambda values, share: float(np.quantile(values, share)),
    "location": location,
    "deviation": lambda values: float(np.std(values)),
    "correlation": pearson,
    "correlation_p": lambda a, b: float(stats.pearsonr(a, b).pvalue),
    "scaled_difference": lambda a, b: float(np.abs(np.array(a) / np.mean(a) - np.array(b) / np.mean(b)).max()),
    "best_lag": best_lag,
    "cusum": cusum,
    "changes": changes,
    "pareto": pareto,
    "last_digits": last_digits,
    "benford": benford,
    "line": line,
    "usual": usual,
    "filter_z": filter_z,
    "scaled": scaled,
    "distance_m": great_circle,
    "runs": runs,
    "power_factor_ppm": power_factor,
}


def agree(found, expected, close):
    if isinstance(expected, (list, tuple)):
        return isinstance(found, list) and len(found) == len(expected) and all(
            agree(a, b, close) for a, b in zip(found, expected)
        )
    if expected is None or isinstance(expected, bool):
        return found == expected
    if found is None or isinstance(found, (list, bool)):
        return False
    return abs(found - expected) <= close * max(1e-280, abs(expected)) or abs(found - expected) <= 1e-300


def main():
    seen = {}
    for text in open(sys.argv[1], encoding="utf-8"):
        one = json.loads(text)
        expected = ANSWERS[one["what"]](*one["in"])
        if not agree(one["out"], expected, one.get("close", CLOSE)):
            print(f"{one['what']}: {one['out']} is not {expected}; {str(one['in'])[:200]}")
            sys.exit(1)
        seen[one["what"]] = seen.get(one["what"], 0) + 1
    missing = set(ANSWERS) - set(seen)
    if missing:
        print(f"nothing was said of {sorted(missing)}")
        sys.exit(1)
    print(f"{sum(seen.values())} figures of {len(seen)} functions agree")


main()
