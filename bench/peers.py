"""Trains a benchmark network with PyTorch or scikit-learn; prints samples per second and how many MB
the training took at its peak beyond what was there before it: data, Python, the package.

    python3 bench/peers.py torch|torch-last|sklearn WORKLOAD THREADS SECONDS

torch-last is PyTorch with the channels last in memory. A workload that ends in p is prediction, in
PyTorch by a frozen TorchScript. Data are simulated here, in the shapes of bench/workloads.R. After a
warm-up epoch (or, where an epoch is long, some steps) epochs are timed for about SECONDS; the best
epoch counts, as for lamina. SECONDS = 0: one whole epoch, for its memory.
"""
import sys
import time
import warnings

import numpy as np

peer, workload, threads, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])

predicts = workload.endswith("p")
workload = workload.rstrip("p")

SHAPES = {  # samples, inputs, hidden, outputs, batch, optimizer, rate, dropout
    "W1": (1890, 1, (16, 32), 2, 10, "adam", 1e-4, 0.0),
    "W2": (20000, 100, (64, 32), 1, 32, "adam", 1e-3, 0.0),
    "W3": (60000, 784, (512, 512), 10, 128, "rmsprop", 1e-3, 0.2),
    "W4": (12000, (1, 28, 28), None, 10, 128, "adam", 1e-3, 0.0),
    "W5": (5000, (3, 32, 32), None, 10, 64, "adam", 1e-3, 0.0),
    "W6": (2500, 80, None, 1, 32, "adam", 1e-3, 0.0),
    "W6g": (2500, 80, None, 1, 32, "adam", 1e-3, 0.0),
    "W7": (60000, 784, (128, 64, 32, 64, 128), 784, 256, "adam", 1e-3, 0.0),
}
n, d, hidden, outputs, batch, optimizer, rate, dropout = SHAPES[workload]
if predicts:
    batch = 256
rng = np.random.default_rng(1)
x = rng.random((n, *d) if isinstance(d, tuple) else (n, d), dtype=np.float32)
if workload in ("W6", "W6g"):
    x = rng.integers(0, 10000, (n, d))
y = x if workload == "W7" else rng.integers(0, max(outputs, 2), n)


before = 0.0


def memory(what):
    """A number of MB that Linux keeps about this process: VmRSS now, VmHWM at its peak."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(what)) / 1024


def timed(epoch, samples):
    """The best rate of repeated calls of epoch() for about `seconds`."""
    global before
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    before = memory("VmRSS")
    if seconds > 0:
        epoch()
    best, until = 0.0, time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        epoch()
        end = time.perf_counter()
        best = max(best, samples / (end - start))
        if end > until:
            return best


def torch_recurrent(nn):
    class Last(nn.Module):
        """The output of the last step."""

        def __init__(self):
            super().__init__()
            self.layer = (nn.LSTM if workload == "W6" else nn.GRU)(128, 128, batch_first=True)

        def forward(self, steps):
            return self.layer(steps)[0][:, -1]

    return [nn.Embedding(10000, 128), Last(), nn.Linear(128, 1)]


def torch_layers(nn):
    if workload in ("W6", "W6g"):
        return torch_recurrent(nn)
    if workload == "W4":
        return [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
                nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)]
    if workload == "W5":
        layers, width = [], 3
        for filters in (32, 64, 128):
            for _ in range(2):
                layers += [nn.Conv2d(width, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]
                width = filters
            layers.append(nn.MaxPool2d(2))
        return layers + [nn.Flatten(), nn.Linear(2048, 128), nn.ReLU(), nn.Linear(128, 10)]
    layers, width = [], d
    for units in hidden:
        layers += [nn.Linear(width, units), nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
        width = units
    layers.append(nn.Linear(width, outputs))
    return layers + ([nn.Sigmoid()] if workload == "W7" else [])


def with_torch():
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    net = nn.Sequential(*torch_layers(nn))
    data = torch.from_numpy(x)
    if peer == "torch-last":
        if not isinstance(d, tuple):
            raise ImportError
        net, data = net.to(memory_format=torch.channels_last), data.contiguous(memory_format=torch.channels_last)
    if predicts:
        return torch_prediction(torch, net, data)
    make = {"adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop}[optimizer]
    step = make(net.parameters(), lr=rate)
    if workload == "W7":
        loss, target = nn.MSELoss(), data
    elif outputs == 1:
        loss, target = nn.BCEWithLogitsLoss(), torch.tensor(y, dtype=torch.float32)[:, None]
    else:
        loss, target = nn.CrossEntropyLoss(), torch.tensor(y)
    steps = (n + batch - 1) // batch
    most = min(steps, {"W3": 100, "W4": 10, "W5": 10, "W6": 20, "W6g": 20, "W7": 100}.get(workload, steps)) if seconds > 0 else steps

    def epoch():
        order = torch.randperm(n)
        for i in range(most):
            rows = order[i * batch:(i + 1) * batch]
            step.zero_grad(set_to_none=True)
            loss(net(data[rows]), target[rows]).backward()
            step.step()

    return timed(epoch, min(n, most * batch))


def torch_prediction(torch, net, data):
    with torch.no_grad():
        net = torch.jit.freeze(torch.jit.script(net.eval()))
        most = 2560

        def epoch():
            for i in range(0, most, batch):
                net(data[i:i + batch])

        epoch()
        return timed(epoch, most)


def with_sklearn():
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    warnings.simplefilter("ignore", ConvergenceWarning)
    if hidden is None or predicts:
        raise ImportError
    part = min(n, 12800)
    kind = MLPRegressor if workload == "W7" else MLPClassifier
    net = kind(hidden, batch_size=batch, solver="adam", learning_rate_init=rate, alpha=0.0,
               max_iter=1, warm_start=True, random_state=1, n_iter_no_change=10 ** 6)
    return timed(lambda: net.fit(x[:part], y[:part]), part)


try:
    from threadpoolctl import threadpool_limits
    with threadpool_limits(limits=threads):
        speed = (with_sklearn if peer == "sklearn" else with_torch)()
        print(round(speed, 1), round(memory("VmHWM") - before))
except ImportError:
    print("absent")
