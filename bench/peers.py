"""Trains a benchmark network with PyTorch or scikit-learn and prints samples per second.

    python3 bench/peers.py torch|sklearn WORKLOAD THREADS SECONDS

Data are simulated here, in the shapes of bench/workloads.R. After a warm-up epoch (or, where an
epoch is long, some steps) epochs are timed for about SECONDS; the best epoch counts, as for lamina.
"""
import sys
import time
import warnings

import numpy as np

peer, workload, threads, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])

SHAPES = {  # samples, inputs, hidden, outputs, batch, optimizer, rate, dropout
    "W1": (1890, 1, (16, 32), 2, 10, "adam", 1e-4, 0.0),
    "W2": (20000, 100, (64, 32), 1, 32, "adam", 1e-3, 0.0),
    "W3": (60000, 784, (512, 512), 10, 128, "rmsprop", 1e-3, 0.2),
}
n, d, hidden, outputs, batch, optimizer, rate, dropout = SHAPES[workload]
rng = np.random.default_rng(1)
x = rng.random((n, d), dtype=np.float32)
y = rng.integers(0, max(outputs, 2), n)


def timed(epoch, samples):
    """The best rate of repeated calls of epoch() for about `seconds`."""
    epoch()
    best, until = 0.0, time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        epoch()
        end = time.perf_counter()
        best = max(best, samples / (end - start))
        if end > until:
            return best


def with_torch():
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    layers, width = [], d
    for units in hidden:
        layers += [nn.Linear(width, units), nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
        width = units
    layers.append(nn.Linear(width, outputs))
    net = nn.Sequential(*layers)
    make = {"adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop}[optimizer]
    step = make(net.parameters(), lr=rate)
    if outputs == 1:
        loss = nn.BCEWithLogitsLoss()
        target = torch.tensor(y, dtype=torch.float32)[:, None]
    else:
        loss = nn.CrossEntropyLoss()
        target = torch.tensor(y)
    data = torch.tensor(x)
    steps = (n + batch - 1) // batch
    most = min(steps, 100 if workload == "W3" else steps)

    def epoch():
        order = torch.randperm(n)
        for i in range(most):
            rows = order[i * batch:(i + 1) * batch]
            step.zero_grad(set_to_none=True)
            loss(net(data[rows]), target[rows]).backward()
            step.step()

    return timed(epoch, min(n, most * batch))


def with_sklearn():
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore", ConvergenceWarning)
    if optimizer != "adam" and workload != "W3":
        raise SystemExit("absent")
    part = min(n, 12800)
    net = MLPClassifier(hidden, batch_size=batch, solver="adam", learning_rate_init=rate, alpha=0.0,
                        max_iter=1, warm_start=True, random_state=1, n_iter_no_change=10 ** 6)
    return timed(lambda: net.fit(x[:part], y[:part]), part)


try:
    from threadpoolctl import threadpool_limits
    with threadpool_limits(limits=threads):
        print(round({"torch": with_torch, "sklearn": with_sklearn}[peer](), 1))
except ImportError:
    print("absent")
