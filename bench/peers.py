"""Trains a benchmark network with PyTorch or scikit-learn, in a process of its own.

    python3 bench/peers.py torch|torch-loader|torch-last|torchscript|sklearn WORKLOAD THREADS SECONDS FOLDER
    python3 bench/peers.py sgemm THREADS
    python3 bench/peers.py versions

bench/bench.R writes network and data into FOLDER and reads what is printed here: the same figures, found in
the same way, as by bench/train.R.  Weights start as in Keras, and the constants of optimizers are
Keras's, so that losses after the same epochs can be compared; neither changes the time.
sgemm prints GF/s of a float32 product of 1024 x 1024 and whether the product is right.
"""
import os
import sys
import time
import warnings

import numpy as np


def memory(what):
    """A number of MB that Linux keeps about this process: VmRSS now, VmHWM at its peak."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(what)) / 1024


def seconds_of(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def read_workload(folder, name):
    """The workload as a dict, its inputs (samples first) and targets."""
    w, layers = {}, []
    with open(os.path.join(folder, name + ".txt")) as lines:
        for line in lines:
            key, *values = line.split()
            if key == "layer":
                layers.append(values)
            else:
                w[key] = values
    for key in ("rows", "epochs", "batch", "outputs", "predicts"):
        w[key] = int(w[key][0])
    w["rate"], w["optimizer"], w["loss"] = float(w["rate"][0]), w["optimizer"][0], w["loss"][0]
    w["shape"], w["layers"] = [int(size) for size in w["shape"]], layers
    x = np.fromfile(os.path.join(folder, name + ".x"), np.float32).reshape(w["rows"], *w["shape"])
    if layers[0][0] == "embedding":
        x = x.astype(np.int64)
    y = x if w["loss"] == "mse" else np.fromfile(os.path.join(folder, name + ".y"), np.int32).astype(np.int64)
    return w, x, y


def score(w, output, y):
    """Loss, accuracy and the loss of a network that looks at nothing; as in bench/workloads.R."""
    if w["loss"] == "mse":
        return np.mean((output - y) ** 2), np.nan, np.mean((y - y.mean()) ** 2)
    if w["loss"] == "two" and output.shape[1] == 1:
        output = np.hstack([1 - output, output])
    p = np.clip(output.astype(float), 1e-7, 1)
    p /= p.sum(1, keepdims=True)
    return -np.mean(np.log(p[np.arange(len(y)), y])), np.mean(p.argmax(1) == y), np.log(p.shape[1])


def torch_layers(w, nn):
    """The network up to the last weighted sums."""
    class LastStep(nn.Module):
        """A recurrent layer's output after the last step."""

        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, steps):
            return self.layer(steps)[0][:, -1]

    shape, layers = list(w["shape"]), []
    if len(shape) == 3:
        shape = [shape[2], shape[0], shape[1]]
    for kind, *values in w["layers"]:
        if kind == "dense":
            layers.append(nn.Linear(shape[0], int(values[0])))
            shape = [int(values[0])]
            if values[1] == "relu":
                layers.append(nn.ReLU())
        elif kind == "dropout":
            layers.append(nn.Dropout(float(values[0])))
        elif kind in ("conv", "conv_norm"):
            same = kind == "conv_norm" or values[1] == "same"
            layers.append(nn.Conv2d(shape[0], int(values[0]), 3, padding=int(same), bias=kind == "conv"))
            if kind == "conv_norm":
                layers.append(nn.BatchNorm2d(int(values[0]), eps=1e-3, momentum=0.5))
            layers.append(nn.ReLU())
            shape = [int(values[0])] + [size - (0 if same else 2) for size in shape[1:]]
        elif kind == "pool":
            layers.append(nn.MaxPool2d(2))
            shape = [shape[0], shape[1] // 2, shape[2] // 2]
        elif kind == "flatten":
            layers.append(nn.Flatten())
            shape = [int(np.prod(shape))]
        elif kind == "embedding":
            layers.append(nn.Embedding(int(values[0]), int(values[1])))
            shape = [int(values[1])]
        else:
            cell = nn.LSTM if kind == "lstm" else nn.GRU
            layers.append(LastStep(cell(shape[0], int(values[0]), batch_first=True)))
            shape = [int(values[0])]
    return layers


def keras_weights(net, nn):
    for layer in net.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Embedding):
            nn.init.uniform_(layer.weight, -0.05, 0.05)
        elif isinstance(layer, (nn.LSTM, nn.GRU)):
            nn.init.xavier_uniform_(layer.weight_ih_l0)
            nn.init.orthogonal_(layer.weight_hh_l0)
            nn.init.zeros_(layer.bias_ih_l0)
            nn.init.zeros_(layer.bias_hh_l0)
            if isinstance(layer, nn.LSTM):
                nn.init.ones_(layer.bias_ih_l0[layer.hidden_size:2 * layer.hidden_size])


def torch_optimizer(w, torch, net):
    if w["optimizer"] == "adam":
        return torch.optim.Adam(net.parameters(), lr=w["rate"], eps=1e-7)
    if w["optimizer"] == "rmsprop":
        return torch.optim.RMSprop(net.parameters(), lr=w["rate"], alpha=0.9, eps=1e-7)
    return torch.optim.SGD(net.parameters(), lr=w["rate"])


def torch_batches(w, peer, torch, data, target):
    """Those of one epoch in a new order."""
    if peer == "torch-loader":
        from torch.utils.data import DataLoader, TensorDataset
        yield from DataLoader(TensorDataset(data, target), batch_size=w["batch"], shuffle=True, num_workers=0)
    else:
        order = torch.randperm(len(data))
        for start in range(0, len(data), w["batch"]):
            rows = order[start:start + w["batch"]]
            yield data[rows], target[rows]


def with_torch(w, peer, threads, x, y):
    """Functions that train for a run, and that give the outputs for the first rows or for a tensor; and the data."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    net = nn.Sequential(*torch_layers(w, nn))
    end = {"two": nn.Sigmoid(), "mse": nn.Sigmoid(), "classes": nn.Softmax(dim=1)}[w["loss"]]
    keras_weights(net, nn)
    data = torch.from_numpy(x)
    if data.dim() == 4:
        data = data.permute(0, 3, 1, 2)
        last = torch.channels_last if peer == "torch-last" else torch.contiguous_format
        data, net = data.contiguous(memory_format=last), net.to(memory_format=last)
    elif peer == "torch-last":
        raise ImportError
    if w["predicts"] == 0 and peer == "torchscript":
        raise ImportError
    target = data if w["loss"] == "mse" else torch.from_numpy(y)
    if w["loss"] == "two":
        target = target.float()[:, None]
    loss = {"two": nn.BCEWithLogitsLoss(), "mse": nn.MSELoss(), "classes": nn.CrossEntropyLoss()}[w["loss"]]
    if w["loss"] == "mse":
        net = nn.Sequential(net, end)
    optimizer = torch_optimizer(w, torch, net)

    def train():
        net.train()
        for _ in range(w["epochs"]):
            for inputs, wanted in torch_batches(w, peer, torch, data, target):
                optimizer.zero_grad(set_to_none=True)
                loss(net(inputs), wanted).backward()
                optimizer.step()

    whole = (net if w["loss"] == "mse" else nn.Sequential(net, end)).eval()
    if peer == "torchscript":
        with torch.no_grad():
            whole = torch.jit.freeze(torch.jit.script(whole))

    def predict(inputs):
        with torch.no_grad():
            return whole(inputs)

    def outputs(rows):
        whole.eval()
        return predict(data[:rows]).numpy()

    batches = [data[start:start + w["batch"]] for start in range(0, len(data), w["batch"])]
    return train, outputs, lambda: [predict(batch) for batch in batches]


def with_sklearn(w, peer, threads, x, y):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    warnings.simplefilter("ignore", ConvergenceWarning)
    if any(layer[0] not in ("dense", "dropout") for layer in w["layers"]):
        raise ImportError
    hidden = [int(layer[1]) for layer in w["layers"] if layer[0] == "dense"][:-1]
    kind = MLPRegressor if w["loss"] == "mse" else MLPClassifier
    net = kind(hidden, batch_size=w["batch"], solver="sgd" if w["optimizer"] == "sgd" else "adam", momentum=0.0,
               nesterovs_momentum=False, learning_rate_init=w["rate"], alpha=0.0, max_iter=w["epochs"], warm_start=True,
               random_state=1, n_iter_no_change=10 ** 6)
    predict = net.predict if w["loss"] == "mse" else net.predict_proba
    if w["predicts"]:
        net.set_params(batch_size=10)
        net.fit(x[:100], y[:100])

    def outputs(rows):
        # classes that the data do not have are not among its outputs
        got = predict(x[:rows])
        if w["loss"] == "mse" or got.shape[1] == max(w["outputs"], 2):
            return got
        whole = np.zeros((len(got), max(w["outputs"], 2)))
        whole[:, net.classes_] = got
        return whole

    batches = [x[start:start + w["batch"]] for start in range(0, len(x), w["batch"])]
    return lambda: net.fit(x, y), outputs, lambda: [predict(batch) for batch in batches]


def measure(peer, name, threads, seconds, folder):
    w, x, y = read_workload(folder, name)
    # An import within: what it takes belongs to what was there before.
    train, outputs, predict_all = (with_sklearn if peer == "sklearn" else with_torch)(w, peer, threads, x, y)
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    before = memory("VmRSS")
    run = predict_all if w["predicts"] else train
    run()
    rows = min(512, w["rows"])
    learned = score(w, outputs(rows), y[:rows])
    if w["predicts"]:
        run()  # TorchScript compiles at the second call
    took = [seconds_of(run)]
    while sum(took) < seconds:
        took.append(seconds_of(run))
    samples = w["rows"] * (1 if w["predicts"] else w["epochs"])
    print(samples / np.median(took), len(took), memory("VmHWM") - before, *learned)


def sgemm():
    rng = np.random.default_rng(1)
    a, b = (rng.random((1024, 1024), dtype=np.float32) for _ in range(2))
    right = np.allclose(a[:16].astype(float) @ b, (a @ b)[:16], rtol=1e-4)
    took = [seconds_of(lambda: a @ b) for _ in range(15)]
    print(2 * 1024 ** 3 / np.median(took) / 1e9, int(right))


def versions():
    names = []
    for module in ("torch", "sklearn", "numpy"):
        try:
            names.append(f"{module} {__import__(module).__version__}")
        except ImportError:
            pass
    print(", ".join(names))


if __name__ == "__main__":
    if sys.argv[1] == "versions":
        versions()
        sys.exit()
    try:
        try:
            from threadpoolctl import threadpool_limits
        except ImportError:  # the environment has set as much
            from contextlib import nullcontext

            def threadpool_limits(limits):
                return nullcontext()
        if sys.argv[1] == "sgemm":
            with threadpool_limits(limits=int(sys.argv[2])):
                sgemm()
        else:
            with threadpool_limits(limits=int(sys.argv[3])):
                measure(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
    except ImportError:
        print("absent")
