"""One Markdown table of the steps that gpu.sh measured: `python steps_table.py FOLDER`."""

import json
import pathlib
import sys


def lines(folder):
    for path in sorted(pathlib.Path(folder).glob("*.json")):
        try:
            found = json.loads(path.read_text())
        except ValueError:
            continue  # a rule that does not run on the network says so in errors.txt
        ours = "spec" in found
        rule = found["spec"]["rule"] if ours else found["rule"]
        name = rule if isinstance(rule, str) else " ".join(str(v) if k == "name" else f"{k}={v}" for k, v in rule.items())
        yield (
            found["spec"]["network"]["name"] if ours else found["network"],
            found["spec"]["batch"] if ours else found["batch"],
            name,
            found["provenance"]["backend"] if ours else found["backend"],
            1000 * found["seconds_per_step"],
            found["step_peak"] / 2**20,
            found.get("reserved_peak", 0) / 2**20,
            found["provenance"]["hardware"] if ours else found["hardware"],
        )


def main():
    found = sorted(lines(sys.argv[1]), key=lambda line: (line[0], line[5]))
    print("| network | batch | rule | made by | ms a step | step's peak, MiB | reserved, MiB |")
    print("|---|---|---|---|---|---|---|")
    for network, batch, rule, backend, ms, peak, reserved, _ in found:
        held = f"{reserved:.1f}" if reserved else "—"
        print(f"| {network} | {batch} | {rule} | {backend} | {ms:.2f} | {peak:.2f} | {held} |")
    print("\nOn " + "; ".join(sorted({line[7] for line in found})) + ". Step's peak: the most bytes that a step holds above")
    print("parameters and the optimiser's state, the batch included. Products in f32, TF32 off.")


if __name__ == "__main__":
    main()
