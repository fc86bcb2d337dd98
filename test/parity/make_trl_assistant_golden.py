"""Writes which tokens of conversations TRL's `assistant_only_loss` learns: the ids under its training template's mask.

Needs Python with trl 1.13.0's files (nothing of it is imported) and transformers 5.18.0; no torch.
    python test/parity/make_trl_assistant_golden.py
    npx biome check --write test/parity/fixtures/trl-sft
The template is TRL's own for Qwen2-VL (chat_templates/qwen2_5_vl_training.jinja), the tokenizer that of fixtures/trl-step/base. Images
stay one placeholder each here, which is no difference: they are in no turn of the assistant.
"""

import importlib.metadata
import json
from importlib.util import find_spec
from pathlib import Path

import transformers
from transformers import AutoTokenizer

FIXTURES = Path(__file__).resolve().parent / "fixtures"


def turn(role, content):
    return {"role": role, "content": content}


def image(text):
    return [{"type": "image", "image": "0.png"}, {"type": "text", "text": text}]


CONVERSATIONS = {
    "one turn": [turn("user", "how many chairs?"), turn("assistant", "3")],
    "three turns": [
        turn("user", "how many chairs?"),
        turn("assistant", "about 12 chairs"),
        turn("user", "is it red, or is it blue?"),
        turn("assistant", "it is red, not blue"),
        turn("user", "how far, in m?"),
        turn("assistant", "0.5"),
    ],
    "a system's turn": [
        turn("system", "the left one"),
        turn("user", "which one is taller?"),
        turn("assistant", "second"),
        turn("user", "how far, in m?"),
        turn("assistant", "2 m"),
    ],
    "an image, and one later": [
        turn("user", image("how many chairs?")),
        turn("assistant", [{"type": "text", "text": "3"}]),
        turn("user", image("which one is taller?")),
        turn("assistant", "the left one"),
    ],
    "an assistant that begins": [turn("assistant", "how far, in m?"), turn("user", "2 m"), turn("assistant", "not blue")],
}


def main():
    tokenizer = AutoTokenizer.from_pretrained(FIXTURES / "trl-step" / "base")
    template = Path(find_spec("trl").origin).parent / "chat_templates" / "qwen2_5_vl_training.jinja"
    cases = {}
    for name, messages in CONVERSATIONS.items():
        made = tokenizer.apply_chat_template(
            messages, chat_template=template.read_text(), return_dict=True, return_assistant_tokens_mask=True
        )
        learned = [token for token, inside in zip(made["input_ids"], made["assistant_masks"], strict=True) if inside]
        cases[name] = {"messages": messages, "learned": learned}
    versions = {"trl": importlib.metadata.version("trl"), "transformers": transformers.__version__}
    (FIXTURES / "trl-sft" / "assistant.json").write_text(json.dumps({"versions": versions, "cases": cases}) + "\n")
    print(f"{len(cases)} conversations")


if __name__ == "__main__":
    main()
