"""The loops of the plain scan: scores in an array, and a heap of the best."""
import heapq

import numpy as np
from numba import njit, prange


@njit(inline="always")
def scores_of(starts, documents, weights, terms, by_term, scores):
    for place in range(len(terms)):
        factor = by_term[place]
        for row in range(starts[terms[place]], starts[terms[place] + 1]):
            scores[documents[row]] += factor * weights[row]


@njit(inline="always")
def keep(scores, numbers, best):
    """The best of an array, best first; of equal ones the first."""
    k = len(numbers)
    heap = [(np.float32(0.0), np.int64(0))]
    heap.pop()
    for number in range(len(scores)):
        score = scores[number]
        if score > 0 and (len(heap) < k or score > heap[0][0]):
            if len(heap) < k:
                heapq.heappush(heap, (score, -number))
            else:
                heapq.heapreplace(heap, (score, -number))
    for place in range(len(heap) - 1, -1, -1):
        score, number = heapq.heappop(heap)
        numbers[place], best[place] = -number, score


@njit(parallel=True)
def best(starts, documents, weights, count, query_starts, terms, by_term, k):
    queries = len(query_starts) - 1
    numbers = np.zeros((queries, k), np.int64)
    found = np.zeros((queries, k), np.float32)
    for query in prange(queries):
        own = slice(query_starts[query], query_starts[query + 1])
        scores = np.zeros(count, np.float32)
        scores_of(starts, documents, weights, terms[own], by_term[own], scores)
        keep(scores, numbers[query], found[query])
    return numbers, found
