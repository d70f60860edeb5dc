"""Writes losses.json: values and derivatives of losses over small blocks, by PyTorch.

Made with torch 2.15.0 (CPU).
Usage: python make_losses.py > losses.json   (in this folder)

Every loss is spelled out with the functions of torch.nn.functional, row by row over the cells that count, in double precision; the
derivatives are those of autograd. A cell weight counts a candidate several times.
"""

import json

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(7)


def random(*shape):
    return (torch.randn(*shape, generator=generator) * 1.5).to(torch.float32).to(torch.float64)


def own():
    """Three queries with six candidates each, graded, some of them masked."""
    gold = torch.tensor([[1, 0, 0, 0.5, 0, 0], [0, 0, 1, 0, 0, 0], [0.25, 1, 0, 0, 0.5, 0]])
    valid = torch.tensor([[1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 0, 1], [1, 1, 0, 1, 1, 1]]).bool()
    return dict(
        scores=random(3, 6), gold=gold, valid=valid, teachers=[random(3, 6), random(3, 6)], weights=torch.tensor([1.0, 2.0, 0.5]),
        cell_weights=torch.ones(3, 6), owners=None,
    )


def shared():
    """Three queries, each with a positive and a negative, and two keys of a queue."""
    gold = torch.zeros(3, 8)
    for row in range(3):
        gold[row, 2 * row] = 1
    return dict(
        scores=random(3, 8), gold=gold, valid=torch.ones(3, 8).bool(), teachers=[random(3, 8)], weights=torch.ones(3),
        cell_weights=torch.ones(3, 8), owners=[0, 0, 1, 1, 2, 2, None, None],
    )


def weighted():
    made = own()
    made["cell_weights"] = torch.tensor([[1, 0.5, 2, 1, 1, 1], [0.25, 1, 1, 3, 1, 1], [1, 1, 1, 0.5, 1, 2]])
    return made


class Row:
    def __init__(self, block, row, teacher=0):
        keep = block["valid"][row] & (block["cell_weights"][row] > 0)
        self.s = block["scores"][row][keep]
        self.g = block["gold"][row][keep]
        self.t = block["teachers"][teacher][row][keep]
        self.c = block["cell_weights"][row][keep]


def rows(function, teacher=0):
    """The mean over rows, by the weights of queries."""
    def loss(block):
        values = torch.stack([function(Row(block, row, teacher)) for row in range(len(block["scores"]))])
        return (values * block["weights"]).sum() / block["weights"].sum()
    return loss


def infonce(temperature):
    def row(r):
        counts = torch.where(r.g > 0, 1.0, r.c)
        return F.cross_entropy(r.s / temperature + counts.log(), r.g / r.g.sum())
    return rows(row)


def symmetric(block):
    positives = block["scores"][:, [0, 2, 4]]
    return (F.cross_entropy(block["scores"], torch.tensor([0, 2, 4])) + F.cross_entropy(positives.T, torch.arange(3))) / 2


def unit(x):
    return (x - x.min()) / (x.max() - x.min())


def kl(teacher=lambda t: t, student=lambda s: s):
    def row(r):
        log_q = (student(r.s) + r.c.log()).log_softmax(0)
        return F.kl_div(log_q, (teacher(r.t) + r.c.log()).log_softmax(0), log_target=True, reduction="sum")
    return rows(row)


def margin_mse(r):
    s = r.s[r.g > 0][:, None] - r.s[r.g == 0][None]
    t = r.t[r.g > 0][:, None] - r.t[r.g == 0][None]
    w = r.c[r.g > 0][:, None] * r.c[r.g == 0][None]
    return ((s - t) ** 2 * w).sum() / w.sum()


def margin_mse_pair(block):
    def margin(x):
        return torch.stack([x[i, 2 * i] - x[i, 2 * i + 1] for i in range(3)])
    return F.mse_loss(margin(block["scores"]), margin(block["teachers"][0]))


def margin_mse_in_batch(block):
    owners = torch.tensor([-1 if owner is None else owner for owner in block["owners"]])
    def margins(x, others):
        other = owners[others][None] != torch.arange(3)[:, None]
        return (x[:, [0, 2, 4]].diagonal()[:, None] - x[:, others])[other]
    scores, teacher = block["scores"], block["teachers"][0]
    return sum(F.mse_loss(margins(scores, o), margins(teacher, o)) for o in ([0, 2, 4], [1, 3, 5, 6, 7])) / 2


def hinge(margin):
    def row(r):
        better = r.g[:, None] > r.g[None]
        i, j = better.nonzero(as_tuple=True)
        return F.margin_ranking_loss(r.s[i], r.s[j], torch.ones(len(i)), margin=margin)
    return rows(row)


def hinge_side_b(block):
    scores = block["scores"][:, [0, 2, 4]]
    values = []
    for column in range(3):
        others = [row for row in range(3) if row != column]
        mine = scores[column, column].expand(2)
        values.append(F.margin_ranking_loss(mine, scores[others, column], torch.ones(2), margin=0.5))
    return torch.stack(values).mean()


def ranknet(weight, target):
    def row(r):
        wanted = target(r)
        i, j = (wanted[:, None] > wanted[None]).nonzero(as_tuple=True)
        ranks = torch.empty(len(r.s))
        ranks[r.s.detach().argsort(descending=True)] = torch.arange(1.0, len(r.s) + 1)
        return (weight(r, ranks, i, j) * F.softplus(r.s[j] - r.s[i])).mean()
    return rows(row)


def one(r, ranks, i, j):
    return torch.ones(len(i))


def mrr(r, ranks, i, j):
    return (1 / ranks[i] - 1 / ranks[j]).abs()


def ndcg(r, ranks, i, j):
    gains = 2 ** r.g - 1
    discounts = 1 / torch.log2(1 + ranks)
    ideal = (gains.sort(descending=True).values / torch.log2(torch.arange(2.0, len(r.s) + 2))).sum()
    return (gains[i] - gains[j]).abs() * (discounts[i] - discounts[j]).abs() / ideal


def listnet(target):
    return rows(lambda r: F.cross_entropy(r.s, target(r).softmax(0)))


def listmle(r):
    ordered = r.s[r.t.argsort(descending=True)]
    return (ordered.flip(0).logcumsumexp(0).flip(0) - ordered).sum()


def rank_ce(temperature, own_columns=None):
    def loss(block):
        values = []
        for row in range(len(block["scores"])):
            r = Row(block, row)
            mine = own_columns(row) if own_columns else list(range(len(r.s)))
            shares = (r.t[mine] / temperature).softmax(0)
            value = 0
            for share, key in zip(shares, mine):
                above = torch.zeros(len(r.s)).bool()
                for other in mine:
                    above[other] = r.t[other] > r.t[key]
                value = value + share * F.cross_entropy(r.s.masked_fill(above, -torch.inf)[None], torch.tensor([key]))
            values.append(value)
        return (torch.stack(values) * block["weights"]).sum() / block["weights"].sum()
    return loss


def adversarial(with_gold, temperature=1.0):
    def row(r):
        reward = F.logsigmoid(r.t[r.g.argmax()] - r.t)
        counted = torch.ones(len(r.s)) if with_gold else (r.g == 0).double()
        return (counted * reward * (r.s / temperature).log_softmax(0)).sum()
    return rows(row)


def gold(r):
    return r.g


def teacher(r):
    return r.t


CASES = [
    ("infonce", own, infonce(1.0)),
    ("infonce(temperature=0.05)", own, infonce(0.05)),
    ("infonce(temperature=0.5)", weighted, infonce(0.5)),
    ("infonce(side=both)", shared, symmetric),
    ("kl", own, kl()),
    ("kl", weighted, kl()),
    ("kl(teacher=1,scale=2)", own, rows(lambda r: F.kl_div(r.s.log_softmax(0), (2 * r.t).softmax(0), reduction="sum"), 1)),
    ("kl(scale=30,normalise=minmax)", own, kl(lambda t: 30 * unit(t), lambda s: 30 * unit(s))),
    ("kl(normalise=minmax)", weighted, kl(unit, unit)),
    ("kl(scale=30,normalise=teacher)", own, kl(lambda t: 30 * unit(t))),
    ("margin-mse", own, rows(margin_mse)),
    ("margin-mse", weighted, rows(margin_mse)),
    ("margin-mse", shared, margin_mse_pair),
    ("margin-mse(in-batch)", shared, margin_mse_in_batch),
    ("margin-mse + 0.75*margin-mse(in-batch)", shared, lambda b: margin_mse_pair(b) + 0.75 * margin_mse_in_batch(b)),
    ("hinge(margin=0.2)", own, hinge(0.2)),
    ("hinge(margin=0.5,side=b)", shared, hinge_side_b),
    ("ranknet", own, ranknet(one, gold)),
    ("ranknet(weights=mrr,teacher=0)", own, ranknet(mrr, teacher)),
    ("ranknet(weights=ndcg)", own, ranknet(ndcg, gold)),
    ("4*ranknet(weights=mrr) + infonce", own, lambda b: 4 * ranknet(mrr, gold)(b) + infonce(1.0)(b)),
    ("listnet", own, listnet(gold)),
    ("listnet(teacher=0)", own, listnet(teacher)),
    ("listmle(teacher=0)", own, rows(listmle)),
    ("bce", own, rows(lambda r: F.binary_cross_entropy_with_logits(r.s, r.g))),
    ("bce(teacher=0)", own, rows(lambda r: F.binary_cross_entropy_with_logits(r.s, r.t.sigmoid()))),
    ("bce", weighted, rows(lambda r: F.binary_cross_entropy_with_logits(r.s, r.g, r.c, reduction="sum") / r.c.sum())),
    ("mse", own, rows(lambda r: F.mse_loss(r.s, r.g))),
    ("mse(teacher=0)", own, rows(lambda r: F.mse_loss(r.s, r.t))),
    ("rank-ce", own, rank_ce(1.0)),
    ("rank-ce(temperature=0.3)", shared, rank_ce(0.3, lambda row: [2 * row, 2 * row + 1])),
    ("adversarial", own, adversarial(False)),
    ("adversarial(with-gold)", own, adversarial(True)),
    ("marginal", own, rows(lambda r: -(r.t + r.s.log_softmax(0)).logsumexp(0))),
    ("kl(temperature=0.5)", own, kl(student=lambda s: s / 0.5)),
    ("kl(scale=3,temperature=0.5,normalise=minmax)", own, kl(lambda t: 3 * unit(t), lambda s: 3 * unit(s) / 0.5)),
    ("adversarial(temperature=0.5)", own, adversarial(False, 0.5)),
]

made = []
for spec, kind, loss in CASES:
    block = kind()
    block["scores"].requires_grad_()
    value = loss(block)
    value.backward()
    made.append({
        "spec": spec, "queries": len(block["scores"]), "candidates": block["scores"].shape[1], "owners": block["owners"],
        "scores": block["scores"].flatten().tolist(), "valid": block["valid"].flatten().tolist(), "gold": block["gold"].flatten().tolist(),
        "teachers": [t.flatten().tolist() for t in block["teachers"]], "weights": block["weights"].tolist(),
        "cell_weights": block["cell_weights"].flatten().tolist(), "value": value.item(),
        "gradient": [round(x, 9) for x in block["scores"].grad.flatten().tolist()],
    })
print("[\n" + ",\n".join(json.dumps(one) for one in made) + "\n]")
