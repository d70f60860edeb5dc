#!/usr/bin/env python3
"""Makes reference.json: values of ir_measures 0.4.3 (with pytrec_eval-terrier 0.5.11) and of scipy 1.17.1.

    pip install pytrec-eval-terrier==0.5.11 ir-measures==0.4.3 scipy==1.17.1
    ECPHORY_DATA=... python make_reference.py > reference.json

Runs are made from the judgments alone, by a hash that the test computes too, with many ties: so
neither runs nor data sets have to be committed. `small` is made up whole.
Not here: IPrec (pytrec_eval holds trec_eval 9, which rounds recall points up; newer ones round to the
nearest), metrics with a cutoff that ir_measures takes from a provider with another rule for ties.
"""
import json
import os
import random
import sys

import ir_measures
import scipy.stats

NAMES = """nDCG nDCG@10 nDCG@1 nDCG(gains={1:3,2:1,4:10})@20 AP AP@20 AP(rel=2) RR RR(rel=3) P@5 P(rel=2)@10 R@10 R@100
Success@1 Success(rel=2)@5 Rprec Rprec(rel=2) Bpref Bpref(rel=2) infAP SetP SetP(relative=True) SetR
SetF SetF(beta=0.5) SetAP NumRet NumRet(rel=1) nDCG(judged_only=True)@10 AP(judged_only=True) P(judged_only=True)@5""".split()


def fnv(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def made_run(qrels):
    """Every third or so of the documents that any query has judged, with 17 different scores."""
    documents = sorted({doc for judged in qrels.values() for doc in judged})
    run = {}
    for query, judged in qrels.items():
        hits = {}
        for doc in documents:
            value = fnv(f"{query} {doc}")
            # A judged document is retrieved half of the time, another one by one in nine.
            if value // 64 % (2 if doc in judged else 9) == 0:
                hits[doc] = value // 4096 % 17 / 4 + (1 if judged.get(doc, 0) > 0 else 0)
        run[query] = hits
    return run


def read_qrels(name, split):
    for folder in os.environ["ECPHORY_DATA"].split(":"):
        path = os.path.join(folder, name, "qrels", split + ".tsv")
        if os.path.exists(path):
            qrels = {}
            with open(path) as lines:
                next(lines)
                for line in lines:
                    query, doc, score = line.rstrip("\n").split("\t")
                    qrels.setdefault(query, {})[doc] = int(score)
            return qrels
    sys.exit(f"no {name} under ECPHORY_DATA")


def values(qrels, run, names):
    # One at a time: asked together, NumRet takes over judged_only from a measure before it.
    found = {}
    for name in names:
        metrics = ir_measures.iter_calc([ir_measures.parse_measure(name)], qrels, run)
        found[name] = {metric.query_id: round(metric.value, 6) for metric in metrics}
    return found


def made_qrels():
    random.seed(7)
    return {f"q{n}": {f"d{d}": random.choice([0, 0, 1, 2, 4]) for d in random.sample(range(60), 25)} for n in range(12)}


def t_tests():
    random.seed(11)
    cases = []
    for count, shift, digits in [(2, 0.1, 6), (5, 0.0, 6), (12, 0.1, 1), (16, 0.05, 2)]:
        left = [round(random.random(), digits) for _ in range(count)]
        right = [round(min(1, max(0, v + random.gauss(-shift, 0.2))), digits) for v in left]
        test = scipy.stats.ttest_rel(left, right)
        # As many resamples as there are sign patterns makes scipy count them all.
        counted = scipy.stats.permutation_test(
            (left, right), lambda l, r, axis: (l - r).mean(axis=axis),
            permutation_type="samples", n_resamples=2**count, vectorized=True)
        cases.append({"left": left, "right": right, "t": test.statistic, "p": test.pvalue,
                      "degrees": count - 1, "p_randomisation": counted.pvalue})
    return cases


def tails():
    return [{"t": t, "degrees": n, "p": float(2 * scipy.stats.t.sf(t, n))}
            for n in [1, 2, 3, 7, 29, 49, 299, 5000] for t in [0.01, 0.5, 1.0, 2.0, 5.0, 12.0]]


small = made_qrels()
small_run = made_run(small)
cranfield = read_qrels("cranfield", "test")
scifact = read_qrels("scifact", "test")
per_query = ["nDCG@10", "AP", "RR", "Bpref(rel=3)", "AP(rel=4)", "R@10"]
print(json.dumps({
    "small": {"qrels": small, "values": values(small, small_run, NAMES + ["Judged"])},
    "cranfield": {"values": values(cranfield, made_run(cranfield), per_query),
                  "means": {name: round(sum(v.values()) / len(v), 9)
                            for name, v in values(cranfield, made_run(cranfield), NAMES).items()}},
    "scifact": {"means": {name: round(sum(v.values()) / len(v), 9)
                          for name, v in values(scifact, made_run(scifact), NAMES).items()}},
    "t_tests": t_tests(),
    "tails": tails(),
}, separators=(",", ":")))
