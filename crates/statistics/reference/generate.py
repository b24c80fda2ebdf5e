#!/usr/bin/env python3
"""Computes values.json, which the tests of this crate hold their results to.

    python3 -m venv venv && venv/bin/pip install scipy==1.17.1
    venv/bin/python generate.py > values.json

Infinity is null.
"""

import json
import math
import platform

import numpy as np
import scipy
from scipy import optimize, special, stats

RANDOM = np.random.default_rng(20240229)


def finite(x):
    return None if math.isinf(x) else float(x)


def garwood():
    cases = []
    for events in (0, 1, 2, 5, 20, 137, 1000, 25_000, 1_000_000):
        for confidence in (0.5, 0.95, 0.999, 0.999999):
            exposure = float(events * 3.5 + 0.25)
            tail = (1 - confidence) / 2
            low = special.gammaincinv(events, tail) if events else 0.0
            high = special.gammainccinv(events + 1, tail)
            cases.append(dict(events=events, exposure=exposure, confidence=confidence,
                              low=low / exposure, high=high / exposure))
    return cases


def two_rates():
    cases = []
    for a, ta, b, tb in ((0, 10, 3, 12), (3, 10, 0, 12), (1, 1, 1, 1), (10, 1e4, 30, 1e4), (7, 3e5, 9, 2e3),
                         (500, 1e6, 700, 1.3e6), (4000, 1e7, 9000, 2e7), (2, 1e6, 40, 1e3), (60_000, 1e8, 59_000, 1e8)):
        for asked in (1.0, 1.5):
            n, odds, confidence = a + b, tb / ta, 0.95
            interval = stats.binomtest(b, n, 0.5).proportion_ci(confidence, method="exact")
            p = asked * odds / (1 + asked * odds)
            to_ratio = lambda p: math.inf if p == 1 else p / (1 - p) / odds
            cases.append(dict(strata=[[a, ta, b, tb]], asked=asked, confidence=confidence,
                              low=finite(to_ratio(interval.low)), high=finite(to_ratio(interval.high)),
                              above=stats.binomtest(b, n, p, alternative="greater").pvalue,
                              below=stats.binomtest(b, n, p, alternative="less").pvalue))
    return cases


def stratified():
    def law(strata, ratio):
        pmf = np.ones(1)
        for a, ta, b, tb in strata:
            n, odds = a + b, ratio * tb / ta
            pmf = np.convolve(pmf, stats.binom.pmf(np.arange(n + 1), n, odds / (1 + odds)))
        return pmf

    def above(strata, ratio):
        to = sum(b for _, _, b, _ in strata)
        return law(strata, ratio)[to:].sum()

    def below(strata, ratio):
        to = sum(b for _, _, b, _ in strata)
        return law(strata, ratio)[: to + 1].sum()

    def root(f, start):
        low, high = start, start
        while f(low) > 0:
            low /= 2
        while f(high) < 0:
            high *= 2
        return optimize.brentq(f, low, high, xtol=1e-300, rtol=1e-14)

    cases = []
    for strata in ([[3, 10, 5, 12], [0, 7, 2, 9]],
                   [[90, 9000, 10, 1000], [100, 1000, 300, 2000]],
                   [[0, 10, 4, 10], [0, 3, 1, 9], [0, 4, 2, 4]],
                   [[4, 10, 0, 10], [1, 3, 0, 9]],
                   [[20, 1e5, 33, 2e4], [5, 3e3, 1, 9e4], [12, 5e4, 40, 5e4], [0, 1e3, 1, 1e3]],
                   [[400, 1e5, 500, 9e4], [210, 7e4, 350, 8e4]]):
        from_events = sum(s[0] for s in strata)
        to_events = sum(s[2] for s in strata)
        for asked in (1.0, 1.5):
            confidence, tail = 0.95, 0.025
            low = root(lambda r: above(strata, r) - tail, 1.0) if to_events else 0.0
            high = root(lambda r: tail - below(strata, r), 1.0) if from_events else math.inf
            cases.append(dict(strata=strata, asked=asked, confidence=confidence, low=low, high=finite(high),
                              above=above(strata, asked), below=below(strata, asked)))
    return cases


def discovery():
    cases = []
    for p in ([0.01], [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216, 0.222, 0.251, 0.269,
                       0.275, 0.34, 0.341, 0.384, 0.569, 0.594, 0.696, 0.762, 0.94, 0.942, 0.975, 0.986],
              [0.5, 0.5, 0.01, 0.0, 1.0], list(RANDOM.uniform(size=200) ** 3)):
        cases.append(dict(p=list(map(float, p)), bh=list(stats.false_discovery_control(p, method="bh")),
                          by=list(stats.false_discovery_control(p, method="by"))))
    return cases


def hypergeometric():
    cases = []
    for all_, fact, affected, both in ((20, 7, 12, 5), (100, 10, 10, 10), (10_000, 300, 50, 12), (100_000, 2_000, 500, 60),
                                       (1_000_000, 50_000, 3_000, 260), (5, 5, 3, 3), (50, 0, 10, 0), (500, 250, 100, 20)):
        cases.append(dict(all=all_, with_fact=fact, affected=affected, both=both,
                          p=float(stats.hypergeom.sf(both - 1, all_, fact, affected))))
    return cases


def survival():
    cases = []
    rounded = np.round(RANDOM.exponential(10, size=200), 1)
    for time, event in (([6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35],
                         [1] * 9 + [0] * 12),
                        ([1, 2, 3, 4], [1, 1, 1, 1]),
                        (list(rounded), list((RANDOM.uniform(size=200) < 0.6).astype(int)))):
        for confidence in (0.9, 0.95):
            event = np.array(event, dtype=bool)
            data = stats.CensoredData.right_censored(time, ~event)
            curve = stats.ecdf(data).sf
            interval = curve.confidence_interval(confidence, method="log-log")
            steps = []
            for t, s, low, high in zip(curve.quantiles, curve.probabilities, interval.low.probabilities,
                                       interval.high.probabilities):
                if np.any(event[np.array(time) == t]):
                    # SciPy has no bounds where nobody is left; ours say so.
                    low, high = (0.0, 1.0) if s == 0 else (low, high)
                    steps.append(dict(time=float(t), survival=float(s), low=float(low), high=float(high)))
            cases.append(dict(time=list(map(float, time)), event=[bool(e) for e in event], confidence=confidence,
                              steps=steps))
    return cases


def series():
    for events in ([3, 2, 4, 3, 2, 3, 12, 11, 14], [0, 0, 0, 1, 0, 0, 2, 3], list(map(int, RANDOM.poisson(5, size=60)))):
        for exposure in ([24.0] * len(events), list(map(float, RANDOM.uniform(1, 50, size=len(events))))):
            yield events, exposure


def rise():
    cases = []
    for events, exposure in series():
        n, e, t = np.array(events), np.array(exposure), np.arange(1, len(events))
        p = [stats.binom.sf(n[k:].sum() - 1, n.sum(), e[k:].sum() / e.sum()) for k in t]
        # Of equals the latest.
        best = len(p) - 1 - int(np.argmin(p[::-1]))
        cases.append(dict(events=events, exposure=exposure, since=int(t[best]), p=float(min(1, p[best] * len(p)))))
    return cases


def trend():
    cases = []
    for events, exposure in series():
        n, w, s = np.array(events), np.array(exposure) / np.sum(exposure), np.arange(len(events))
        mean = np.sum(s * w)
        z = (np.sum(s * n) - n.sum() * mean) / np.sqrt(n.sum() * np.sum((s - mean) ** 2 * w))
        cases.append(dict(events=events, exposure=exposure, z=float(z), p=float(stats.norm.sf(z))))
    return cases


def shrinkage():
    cases = []
    for shape, mean, size in ((0.7, 0.02, 300), (3.0, 0.5, 60), (20.0, 2.0, 200)):
        exposure = RANDOM.uniform(5, 300, size=size)
        events = RANDOM.poisson(RANDOM.gamma(shape, mean / shape, size=size) * exposure)

        def minus_log_likelihood(log):
            a, m = np.exp(log)
            return -np.sum(stats.nbinom.logpmf(events, a, a / (a + m * exposure)))

        def score(log):
            a, m = np.exp(log)
            mu = m * exposure
            by_shape = np.sum(special.digamma(events + a) - special.digamma(a) + np.log(a / (a + mu))
                              + (mu - events) / (a + mu))
            by_mean = np.sum((events - mu) / (a + mu))
            return [by_shape, by_mean]

        start = optimize.minimize(minus_log_likelihood, np.log([1.0, events.sum() / exposure.sum()]),
                                  method="Nelder-Mead", options=dict(xatol=1e-6, fatol=1e-9)).x
        found = optimize.root(score, start, tol=1e-14)
        a, m = np.exp(found.x)
        first, rate = a + events[0], a / m + exposure[0]
        cases.append(dict(events=list(map(int, events)), exposure=list(map(float, exposure)), mean=float(m),
                          shape=float(a), first_mean=float(first / rate),
                          first_above_twice=float(stats.gamma.sf(2 * m, first, scale=1 / rate))))
    return cases


VALUES = dict(
    made_with=dict(python=platform.python_version(), numpy=np.__version__, scipy=scipy.__version__),
    garwood=garwood(), two_rates=two_rates(), stratified=stratified(), discovery=discovery(),
    hypergeometric=hypergeometric(), survival=survival(), rise=rise(), trend=trend(), shrinkage=shrinkage(),
)
lines = [f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(case, allow_nan=False) for case in cases) + "\n]"
         if isinstance(cases, list) else f"{json.dumps(name)}: {json.dumps(cases)}" for name, cases in VALUES.items()]
print("{\n" + ",\n".join(lines) + "\n}")
