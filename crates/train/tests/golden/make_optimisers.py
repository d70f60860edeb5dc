"""Writes optimisers.json: ten steps of AdamW by PyTorch, and of schedule-free AdamW by the paper's formulas.

Made with torch 2.15.0, numpy 2.4.6.
Usage: python make_optimisers.py > optimisers.json   (in this folder)

The schedule-free reference keeps x, y and z apart in double precision (Defazio et al. 2024, algorithm 1, with the mean square
corrected for its beginning inside the root, and decay at y).
"""

import json

import numpy
import torch

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
STEPS, WARM_UP, RATE, NORM_MAX = 10, 4, 0.05, 4.0

random = numpy.random.default_rng(5)
slots = [
    {"name": "weight", "shape": 12, "rate_factor": 1.0, "decay": 0.1},
    {"name": "bias", "shape": 4, "rate_factor": 2.0, "decay": 0.0},
]
for slot in slots:
    slot["values"] = random.normal(size=slot.pop("shape")).astype("f4")
# Small and large steps, and coordinates without a gradient.
gradients = [
    [(random.normal(size=slot["values"].size) * 2.0 ** random.integers(-3, 3)).astype("f4") for slot in slots]
    for _ in range(STEPS)
]
for step in range(0, STEPS, 3):
    gradients[step][0][step % 12] = 0
rates = [numpy.float32(RATE * min(1.0, (step + 1) / WARM_UP)) for step in range(STEPS)]


def adamw(norm_max=None):
    parameters = [torch.nn.Parameter(torch.tensor(slot["values"])) for slot in slots]
    optimiser = torch.optim.AdamW(
        [{"params": [p], "weight_decay": s["decay"]} for p, s in zip(parameters, slots)],
        betas=(BETA1, BETA2), eps=EPSILON)
    after, norms = [], []
    for step in range(STEPS):
        for group, slot in zip(optimiser.param_groups, slots):
            group["lr"] = float(rates[step]) * slot["rate_factor"]
        for parameter, gradient in zip(parameters, gradients[step]):
            parameter.grad = torch.tensor(gradient)
        norm = torch.nn.utils.clip_grad_norm_(parameters, norm_max or 1e30)
        norms.append(float(norm))
        optimiser.step()
        after.append([p.detach().tolist() for p in parameters])
    return after, norms


def schedule_free():
    after_x, after_y = [], []
    x = [slot["values"].astype("f8") for slot in slots]
    z = [values.copy() for values in x]
    square = [numpy.zeros_like(values) for values in x]
    total = 0.0
    for step in range(STEPS):
        total += float(rates[step]) ** 2
        share = float(rates[step]) ** 2 / total
        for i, slot in enumerate(slots):
            y = (1 - BETA1) * z[i] + BETA1 * x[i]
            gradient = gradients[step][i].astype("f8")
            square[i] = BETA2 * square[i] + (1 - BETA2) * gradient ** 2
            corrected = square[i] / (1 - BETA2 ** (step + 1))
            rate = float(rates[step]) * slot["rate_factor"]
            z[i] = z[i] - rate * (gradient / (numpy.sqrt(corrected) + EPSILON) + slot["decay"] * y)
            x[i] = (1 - share) * x[i] + share * z[i]
        after_x.append([values.tolist() for values in x])
        after_y.append([((1 - BETA1) * b + BETA1 * a).tolist() for a, b in zip(x, z)])
    return after_x, after_y


plain, norms = adamw()
clipped, _ = adamw(NORM_MAX)
x, y = schedule_free()
print(json.dumps({
    "slots": [{**slot, "values": slot["values"].tolist()} for slot in slots],
    "rates": [float(rate) for rate in rates],
    "gradients": [[g.tolist() for g in step] for step in gradients],
    "norms": norms, "norm_max": NORM_MAX,
    "adamw": plain, "adamw_clipped": clipped,
    "schedule_free_x": x, "schedule_free_y": y,
}))
