"""One Markdown table of the steps that gpu.sh measured: `python steps_table.py OUT`."""

import json
import pathlib
import sys


def key(rule):
    return json.dumps(rule, sort_keys=True)


def lines(folder):
    titles = {key(rule["spec"]): rule["title"] for rule in json.loads((folder / "rules.json").read_text())}
    for path in sorted((folder / "steps").glob("*.json")):
        try:
            found = json.loads(path.read_text())
        except ValueError:
            continue  # a rule that does not run on the network says so in errors.txt
        ours = "spec" in found
        name = titles.get(key(found["spec"]["rule"]), "?") if ours else found["rule"].upper()
        yield (
            found["spec"]["network"]["name"] if ours else found["network"],
            found["spec"]["batch"] if ours else found["batch"],
            name + (", bf16" if ours and found["spec"]["network"].get("precision") == "bf16" else ""),
            found["provenance"]["backend"] if ours else found["backend"],
            1000 * found["seconds_per_step"],
            found["step_peak"] / 2**20,
            found.get("reserved_peak", 0) / 2**20,
            found["provenance"]["hardware"] if ours else found["hardware"],
        )


def main():
    found = sorted(lines(pathlib.Path(sys.argv[1])), key=lambda line: (line[0], line[5]))
    print("| network | batch | rule | made by | ms a step | step's peak, MiB | reserved, MiB |")
    print("|---|---|---|---|---|---|---|")
    for network, batch, rule, backend, ms, peak, reserved, _ in found:
        held = f"{reserved:.1f}" if reserved else "—"
        print(f"| {network} | {batch} | {rule} | {backend} | {ms:.2f} | {peak:.2f} | {held} |")
    hardware = "; ".join(sorted({line[7] for line in found}))
    print(f"\nOn {hardware}. Step's peak: the most bytes that a step holds above")
    print("parameters and the optimiser's state, the batch included. Products in f32,")
    print("TF32 off, where it does not say bf16.")


if __name__ == "__main__":
    main()
