"""Compares `vsgrpo score` and `vsgrpo generate` with transformers, and loads what vsgrpo saves in transformers and PEFT.

Needs a built vsgrpo and two Pythons, with transformers 4.57.6 and 5.18.0, both with torch, torchvision, Pillow and peft:
    python test/parity/compare_transformers.py --python VENV4/bin/python --python VENV5/bin/python
    npx biome check --write test/parity/results
Exit code 1 when a limit is broken. The result is written to test/parity/results/transformers.json.

Transformers itself makes six random checkpoints (three layouts of config.json, tied and own heads, 1 to 6 query heads per key head,
head widths 16, 32 and 64, odd vocabularies and widths, float32 and bfloat16, one file and shards, published and in-memory tensor
names) and answers twelve prompts that no test knows (text, turns, Unicode, one and three images of odd sizes, videos of 1 to 19
frames, mixtures). `vsgrpo score` and `vsgrpo generate --temperature 0` are held against that: 4.57.6 with --rope-compat 4, 5.18.0 with
--rope-compat 5. Then both versions and PEFT load what vsgrpo saved of these checkpoints. A saved model gives the original's
log-probabilities to the last bit, so what is measured of saved ones is of adapters, merged weights, and of vsgrpo against transformers
where 4.57.6 cannot load the original.

It sees mistakes: on checkpoint b the other version's --rope-compat puts long videos off by 2 to 7, the slow processor's resizer puts
images off by 0.8e-2 to 2.6e-2.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LIMITS = {"logps": 1e-3, "margin": 1e-3, "bfloat16": 1.1, "saved": 1e-3}
GREEDY = 16  # new tokens
PENALTIES = [1.0, 1.3]  # repetition penalties of greedy answers

# layout: who wrote config.json; 4.57 and 5.x by save_pretrained of that version, published as on the hub.
COMMON = {"visionDepth": 2, "mlpRatio": 4, "theta": 1e6, "dtype": "float32"}
SPECS = {
    "a": dict(COMMON, layout="4.57", tied=True, hidden=64, heads=4, kv=4, sections=[2, 3, 3], layers=1, intermediate=52, vocab=413,
              vision=32, visionHeads=2, visionDepth=1, seed=1),
    "b": dict(COMMON, layout="4.57", tied=False, hidden=128, heads=4, kv=2, sections=[4, 6, 6], layers=3, intermediate=92, vocab=419,
              vision=48, visionHeads=4, dtype="bfloat16", shard="100KB", seed=2),
    "c": dict(COMMON, layout="5.x", tied=True, hidden=256, heads=4, kv=1, sections=[8, 12, 12], layers=2, intermediate=130, vocab=427,
              vision=40, visionHeads=2, mlpRatio=3, shard="200KB", seed=3),
    "d": dict(COMMON, layout="5.x", tied=False, hidden=96, heads=6, kv=2, sections=[3, 2, 3], layers=2, intermediate=77, vocab=415,
              vision=24, visionHeads=2, dtype="bfloat16", limits=[6272, 25088], seed=4),
    "e": dict(COMMON, layout="published", tied=False, hidden=192, heads=6, kv=1, sections=[5, 4, 7], layers=3, intermediate=101,
              vocab=412, vision=64, visionHeads=1, visionDepth=3, theta=1e4, seed=5),
    "f": dict(COMMON, layout="published", names="in memory", tied=True, hidden=64, heads=2, kv=2, sections=[6, 3, 7], layers=2,
              intermediate=64, vocab=450, vision=36, visionHeads=3, seed=6),
}

FILES = [("wide.png", 53, 131, 1), ("tall.png", 140, 45, 2), ("tiny.png", 9, 12, 3), ("square.png", 98, 98, 4)]
FILES += [(f"v{i}.png", 70, 91, 10 + i) for i in range(7)] + [(f"small{i}.png", 41, 50, 30 + i) for i in range(19)]


def image(name):
    return {"type": "image", "image": f"{name}.png"}


def video(stem, count):
    return {"type": "video", "video": [f"{stem}{i}.png" for i in range(count)]}


def text(value):
    return {"type": "text", "text": value}


def user(*content):
    return {"role": "user", "content": list(content)}


PROMPTS = {
    "text": [user(text("Which of the two lamps stands nearer to the window, and why?"))],
    "turns with a system": [{"role": "system", "content": "Answer like a surveyor: units first."},
                            {"role": "user", "content": "Length of the sofa?"}, {"role": "assistant", "content": "m: 2.1"},
                            user(text("And its\n\ndepth?  "))],
    "unicode": [user(text("Größe des Zimmers: 12 m² – naïve Schätzung? 部屋は何畳ですか 🛋️👩🏽‍🔧 it's  42\t<|im_end|>\n<|vision_pa"))],
    "image": [user(image("wide"), text("What is at the left?"))],
    "three images": [user(text("First "), image("tall"), text(" then "), image("tiny"), text("\nlast"), image("square"), text("Odd one?"))],
    "image in an earlier turn": [user(image("square"), text("Seen?")), {"role": "assistant", "content": "Yes."}, user(text("Colour?"))],
    "video of 4 frames": [user(video("v", 4), text("Which way does the camera turn?"))],
    "video of 7 frames": [user(text("Watch: "), video("v", 7), text("How many chairs?"))],
    "video of 1 frame": [user(video("small", 1), text("One?"))],
    "long video": [user(video("small", 19), text("Where is the door?"))],
    "two videos": [user(video("small", 5), text("or"), video("v", 3), text("?"))],
    "mixed": [user(image("tiny"), text("in "), video("small", 13), text(" before "), image("wide"), text("?"))],
}
COMPLETION = "<think>The {} — 2.5 m² of naïve “floor” 漢字, 17 of 120</think>\n<answer>{}</answer><|im_end|>"

SAVE = """
const [{ pathToFileURL }, jobs] = [await import('node:url'), JSON.parse(process.argv[1])]
for (const { library, from, dtype, to, what } of jobs) {
  const { loadModel } = await import(pathToFileURL(library).href)
  const model = await loadModel(from, { dtype, trainable: false })
  await model.save(to, what)
  model.dispose()
}
"""


class Run:
    def __init__(self, options):
        self.options, self.work = options, Path(options.work or tempfile.mkdtemp(prefix="vsgrpo-parity-"))
        self.work.mkdir(parents=True, exist_ok=True)
        self.rows_file = self.work / "rows.jsonl"
        self.failures, self.pythons, self.versions = [], {}, {}
        for python in options.python:
            found = self.ask(python, [{"do": "versions", "out": str(self.work / "versions.json")}])[0]
            self.pythons[found["transformers"].split(".")[0]] = python
            self.versions[f"transformers {found.pop('transformers')}"] = found
        if sorted(self.pythons) != ["4", "5"]:
            sys.exit(f"expected one Python with transformers 4 and one with 5, got {sorted(self.versions)}")

    def ask(self, python, jobs):
        file = self.work / "jobs.json"
        file.write_text(json.dumps(jobs))
        subprocess.run([python, str(HERE / "transformers_worker.py"), str(file)], check=True)
        return [json.loads(Path(job["out"]).read_text()) for job in jobs if job["do"] in ("versions", "reference")]

    def references(self, major, jobs):
        jobs = [{"do": "reference", "rows": str(self.rows_file), "out": str(self.work / f"reference-{i}.json"), **job}
                for i, job in enumerate(jobs)]
        return self.ask(self.pythons[major], jobs)

    def vsgrpo(self, command, model, *options):
        out = self.work / f"{command}.jsonl"
        args = [command, "--model", str(model), "--input", str(self.rows_file), "--output", str(out), *options]
        done = subprocess.run(["node", str(Path(self.options.dist) / "cli" / "main.js"), *args], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"vsgrpo {' '.join(args)}: {done.stderr}")
        return [json.loads(line) for line in out.read_text().splitlines()]

    def save(self, jobs):
        jobs = [{"library": str(Path(self.options.dist) / "index.js"), **job} for job in jobs]
        subprocess.run(["node", "--input-type=module", "-e", SAVE, json.dumps(jobs)], check=True)

    def hold(self, fine, message):
        if not fine:
            self.failures.append(message)
            print(f"  BROKEN {message}", flush=True)


def worst(mine, theirs):
    """Largest difference of log-probabilities of rows; infinite where they are of different tokens."""
    if mine["promptTokens"] != theirs["promptTokens"] or mine["completionIds"] != theirs["completionIds"]:
        return float("inf")
    return max(abs(a - b) for a, b in zip(mine["logps"], theirs["logps"], strict=True))


def compare_greedy(run, where, mine, theirs):
    """Tokens must be equal up to the first that transformers itself nearly tossed a coin for."""
    margins, ids = theirs["margins"], theirs["ids"]
    sure = next((i for i, m in enumerate(margins) if m <= LIMITS["margin"]), len(ids))
    equal = mine["ids"][:sure] == ids[:sure] and (sure < len(ids) or len(mine["ids"]) == len(ids))
    run.hold(equal, f"{where}: greedy {mine['ids']}, expected {ids}")
    off = max([abs(a - b) for a, b in zip(mine["logps"][:sure], theirs["logps"][:sure])], default=0)
    run.hold(off <= LIMITS["logps"], f"{where}: greedy log-probabilities differ by {off}")
    return {"tokens": sure, "equal": equal, "maxDeltaLogp": off}


def compare_checkpoint(run, name, folder, major, reference):
    """score and generate in float32 against one version of transformers."""
    compat = ("--rope-compat", major, "--dtype", "float32")
    scores = run.vsgrpo("score", folder, *compat)
    greedy = ("--temperature", "0", "--max-new-tokens", str(GREEDY), "--repetition-penalty")
    answers = [run.vsgrpo("generate", folder, *compat, *greedy, str(penalty)) for penalty in PENALTIES]
    cases = {}
    for i, (prompt, score, row) in enumerate(zip(PROMPTS, scores, reference["rows"], strict=True)):
        where = f"{name}, transformers {major}, {prompt}"
        delta = worst(score, row)
        run.hold(delta <= LIMITS["logps"], f"{where}: log-probabilities differ by {delta}")
        cases[prompt] = {"promptTokens": row["promptTokens"], "tokens": len(row["logps"]), "maxDeltaLogp": delta,
                         "greedy": [compare_greedy(run, where, mine[i]["completions"][0], theirs)
                                    for mine, theirs in zip(answers, row["greedy"], strict=True)]}
    return scores, cases


def mean_distance(rows, column, truth):
    pairs = [(a, b) for row, true in zip(rows, truth) for a, b in zip(row[column], true["logps"], strict=True)]
    return sum(abs(a - b) for a, b in pairs) / len(pairs), len(pairs)


def compare_bfloat16(run, name, folder, major, reference):
    rows = run.vsgrpo("score", folder, "--rope-compat", major, "--dtype", "bfloat16")
    mine, tokens = mean_distance(rows, "logps", reference["rows"])
    theirs, _ = mean_distance(reference["rows"], "bfloat16", reference["rows"])
    run.hold(mine <= LIMITS["bfloat16"] * theirs, f"{name}, transformers {major}, bfloat16: {mine} is more than 1.1 x {theirs}")
    return {"tokens": tokens, "vsgrpo": mine, "transformers": theirs, "ratio": mine / theirs}


def round_trip(run, name, spec, folder, originals, scores):
    """What vsgrpo saves (whole, adapter, merged), loaded by both versions, and by PEFT."""
    out = {kind: run.work / f"{name}-{kind}" for kind in ("whole", "peft", "adapter", "merged")}
    maker = max(originals)
    run.ask(run.pythons[maker], [{"do": "adapter", "dir": str(folder), "out": str(out["peft"])}])
    run.save([{"from": str(folder), "dtype": spec["dtype"], "to": str(out["whole"]), "what": "model"},
              {"from": str(out["peft"]), "dtype": "float32", "to": str(out["adapter"]), "what": "adapter"},
              {"from": str(out["peft"]), "dtype": "float32", "to": str(out["merged"]), "what": "model"}])
    results = {}
    for major in ("4", "5"):
        base = folder if major in originals else out["whole"]
        jobs = [{"dir": str(out["whole"])}, {"dir": str(out["merged"])}, {"dir": str(base), "adapter": str(out["adapter"])},
                {"dir": str(base), "adapter": str(out["peft"])}]
        whole, merged, adapter, peft = run.references(major, jobs)
        mine = {kind: run.vsgrpo("score", out[kind], "--rope-compat", major, "--dtype", "float32") for kind in ("adapter", "merged")}
        truth = originals.get(major, {"rows": scores[major]})
        pairs = {"whole": (whole, truth["rows"]), "adapter": (adapter, peft["rows"]), "merged": (merged, peft["rows"]),
                 "vsgrpo with the adapter": (peft, mine["adapter"]), "vsgrpo merged": (merged, mine["merged"])}
        row = {}
        for kind, (loaded, expected) in pairs.items():
            keys = [key for found in loaded["keys"].values() for key in found]
            delta = max(worst(a, b) for a, b in zip(loaded["rows"], expected, strict=True))
            run.hold(not keys, f"{name}, {kind}, transformers {major}: keys {keys[:4]}")
            run.hold(delta <= LIMITS["saved"], f"{name}, {kind}, transformers {major}: log-probabilities differ by {delta}")
            row[kind] = {"strangeKeys": len(keys), "maxDeltaLogp": delta}
        results[major] = row
    return results


def checkpoint(run, name, spec):
    folder = run.work / name
    maker = "5" if spec["layout"] == "5.x" else "4"
    run.ask(run.pythons[maker], [{"do": "make", "dir": str(folder), "spec": spec}])
    # transformers 4 cannot load what transformers 5 saves.
    majors = ["5"] if maker == "5" else ["4", "5"]
    originals = {m: run.references(m, [{"dir": str(folder), "greedy": GREEDY, "penalties": PENALTIES, "bfloat16": True}])[0] for m in majors}
    result, scores = {"spec": spec, "float32": {}, "bfloat16": {}}, {}
    for major in majors:
        scores[major], result["float32"][major] = compare_checkpoint(run, name, folder, major, originals[major])
        result["bfloat16"][major] = compare_bfloat16(run, name, folder, major, originals[major])
    for major in {"4", "5"} - set(majors):
        scores[major] = run.vsgrpo("score", folder, "--rope-compat", major, "--dtype", "float32")
    result["roundTrip"] = round_trip(run, name, spec, folder, originals, scores)
    return result


def summary(results):
    def cases(r):
        return [c for by in r["float32"].values() for c in by.values()]

    greedy = [g for r in results.values() for c in cases(r) for g in c["greedy"]]
    ratios = [b for r in results.values() for b in r["bfloat16"].values()]
    trips = [k for r in results.values() for by in r["roundTrip"].values() for k in by.values()]
    return {
        "maxDeltaLogp": max(c["maxDeltaLogp"] for r in results.values() for c in cases(r)),
        "scoredTokens": sum(c["tokens"] for r in results.values() for c in cases(r)),
        "greedyTokens": sum(g["tokens"] for g in greedy),
        "greedyAnswers": len(greedy),
        "greedyDifferent": sum(not g["equal"] for g in greedy),
        "greedyMaxDeltaLogp": max(g["maxDeltaLogp"] for g in greedy),
        "bfloat16LargestRatio": max(b["ratio"] for b in ratios),
        "bfloat16PooledRatio": sum(b["vsgrpo"] * b["tokens"] for b in ratios) / sum(b["transformers"] * b["tokens"] for b in ratios),
        "roundTripMaxDeltaLogp": max(k["maxDeltaLogp"] for k in trips),
        "roundTripStrangeKeys": sum(k["strangeKeys"] for k in trips),
    }


def rounded(value):
    """Three digits tell all there is to tell about a difference."""
    if isinstance(value, float):
        return float(f"{value:.3g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", action="append", required=True, help="give it twice: transformers 4.57.6 and 5.18.0")
    parser.add_argument("--dist", default=str(ROOT / "dist"), help="the built package")
    parser.add_argument("--work", help="folder for checkpoints; default: a temporary one")
    parser.add_argument("--only", nargs="*", help="checkpoints by name; nothing is recorded then")
    options = parser.parse_args()
    run = Run(options)
    rows = [{"messages": m, "completion": COMPLETION.format(n, i)} for i, (n, m) in enumerate(PROMPTS.items())]
    run.rows_file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    run.ask(run.pythons["4"], [{"do": "media", "dir": str(run.work), "files": FILES}])
    results = {}
    for name in options.only or SPECS:
        results[name] = checkpoint(run, name, SPECS[name])
        print(name, json.dumps(summary({name: results[name]})), flush=True)
    record = {"versions": run.versions, "machine": platform.machine(), "limits": LIMITS, "summary": summary(results),
              "failures": run.failures, "checkpoints": results}
    print(json.dumps(record["summary"], indent=2))
    if not options.only:
        folder = HERE / "results"
        folder.mkdir(exist_ok=True)
        (folder / "transformers.json").write_text(json.dumps(rounded(record), ensure_ascii=False) + "\n")
    sys.exit(1 if run.failures else 0)


main()
