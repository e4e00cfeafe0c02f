# shellcheck shell=bash
# What tests of batch systems compare; sourced by what sets $program and $folder.
# shellcheck disable=SC2154

rows() { "$program" runs --results "$1" export "$folder/rows.csv" 2>/dev/null && tail -n +2 "$folder/rows.csv" | sort; }
names() { find "$1/runs" -name result.json | sed 's|/result.json||; s|.*/||' | sort; }
curve() {
  for name in $(names "$1"); do
    echo "$name"
    grep -E '"(train_loss|test_accuracy)"' "$1/runs/$name/result.json"
  done
}

# Whether the store $1 has six runs, each once, with the numbers of those in the store $2; else says what differs.
same_six_runs() {
  [[ $(names "$1" | wc -l) -eq 6 && $(rows "$1" | wc -l) -eq 6 ]] ||
    { echo "there are not six runs: $(names "$1" | tr '\n' ' ')" >&2; return 1; }
  diff <(curve "$1") <(curve "$2") >&2 || { echo "other numbers than without a batch system" >&2; return 1; }
}
