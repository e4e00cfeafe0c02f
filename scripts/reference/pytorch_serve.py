"""Times training steps of eager PyTorch when it is asked to, a line of JSON a question, for `harness bench`.

    {"make": 1, "network": "mlp-2x800", "rule": "bp", "batch": 128, "fused": false}   {"parameters": 1276810}
    {"time": 1, "steps": 3}                                                           {"seconds": [0.01, 0.01, 0.01]}
    {"calls": 1}                                                                  {"operators": {"aten::mm": [5, 8]}}
    {"products": [[128, 784, 800]], "seconds": 0.5}                                   {"macs_per_second": 1e11}
    {"drop": 1}                                                                       {}

The first line of all is what it is: {"torch": "2.9.1", "threads": 2}. What goes wrong is {"error": "..."}.
"""

import argparse
import json
import sys
import time

import pytorch_calls
import torch


class Server:
    def __init__(self, device):
        self.device, self.made = torch.device(device), {}

    def wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def make(self, number, network, rule, batch, fused):
        self.made[number], parameters = pytorch_calls.step_of(network, rule, batch, fused, self.device)
        for _ in range(2):
            self.made[number]()
        return {"parameters": parameters}

    def time(self, number, steps):
        seconds = []
        for _ in range(steps):
            self.wait()
            started = time.perf_counter()
            self.made[number]()
            self.wait()
            seconds.append(time.perf_counter() - started)
        return {"seconds": seconds}

    def calls(self, number):
        return {"operators": pytorch_calls.count(self.made[number])}

    def drop(self, number):
        self.made.pop(number, None)
        return {}

    def products(self, shapes, seconds):
        """The rate of products [a, b] [b, c], all shapes one after the other for at least so long; the best pass."""
        pairs = [(torch.randn(a, b, device=self.device), torch.randn(b, c, device=self.device)) for a, b, c in shapes]
        best, deadline = float("inf"), time.perf_counter() + seconds
        while best == float("inf") or time.perf_counter() < deadline:
            started = time.perf_counter()
            for left, right in pairs:
                left @ right
            self.wait()
            best = min(best, time.perf_counter() - started)
        return {"macs_per_second": sum(a * b * c for a, b, c in shapes) / best}

    def answer(self, question):
        match question:
            case {"make": number, "network": network, "rule": rule, "batch": batch, "fused": fused}:
                return self.make(number, network, rule, batch, fused)
            case {"time": number, "steps": steps}:
                return self.time(number, steps)
            case {"calls": number}:
                return self.calls(number)
            case {"drop": number}:
                return self.drop(number)
            case {"products": shapes, "seconds": seconds}:
                return self.products(shapes, seconds)
        return {"error": f"not a question: {question}"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    server = Server(args.device)
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    for line in sys.stdin:
        try:
            answer = server.answer(json.loads(line))
        except Exception as error:  # whatever it is, the one who asked decides
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
