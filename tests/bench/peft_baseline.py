"""Speed of LoRA training with transformers + peft, to compare the engine with. Development only.

    python peft_baseline.py HF_FOLDER TOKENS.json [--mode f32] [--steps N] [--threads 2] [--lr 1e-3] [--adapter DIR]

--mode f32: everything in f32. bf16: weights, activations and adapter in bf16. nf4: linear layers in bitsandbytes' NF4, double
quantised, computed in bf16.

TOKENS.json is a recipe's `format: tokens` list, one batch a step, taken again from the start when it is shorter than N. The
model is LoRA r 16, alpha 32, on all linear layers (or the adapter in DIR), AdamW, clip 1.0, a constant rate. Prints one JSON
line: tokens_per_second counts positions with attention_mask 1 over all steps but the first, forward to optimizer;
losses are sums over labels ÷ their count; peak_rss_bytes is the process's own peak.
"""

import argparse
import json
import resource
import time
from itertools import cycle, islice

import torch
import torch.nn.functional as F
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, BitsAndBytesConfig


def step(model, parameters, optimizer, batch):
    """One optimizer step; returns its loss."""
    ids, labels, mask = (torch.tensor(batch[k], dtype=torch.int64) for k in ("input_ids", "labels", "attention_mask"))
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    targets = labels[:, 1:].reshape(-1)
    rows = logits[:, :-1].reshape(-1, logits.shape[-1]).float()
    loss = F.cross_entropy(rows, targets, ignore_index=-100, reduction="sum") / (targets != -100).sum()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    return loss.item()


def load(folder, mode):
    """The frozen model of a folder in a mode."""
    if mode != "nf4":
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32 if mode == "f32" else torch.bfloat16)
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, quantization_config=config, device_map="cpu")


def main():
    """Train and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("tokens")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--adapter")
    parser.add_argument("--mode", choices=["f32", "bf16", "nf4"], default="f32")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    with open(options.tokens, encoding="utf-8") as file:
        batches = json.load(file)
    steps = options.steps or len(batches)
    model = load(options.folder, options.mode)
    if options.adapter:
        model = PeftModel.from_pretrained(model, options.adapter, is_trainable=True)
    else:
        config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
        model = get_peft_model(model, config, autocast_adapter_dtype=options.mode == "f32")
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=options.lr, weight_decay=0.0)
    model.train()

    losses, seconds, tokens = [], [], []
    for batch in islice(cycle(batches), steps):
        start = time.perf_counter()
        losses.append(step(model, parameters, optimizer, batch))
        seconds.append(time.perf_counter() - start)
        tokens.append(sum(map(sum, batch["attention_mask"])))
    measured = slice(1 if steps > 1 else 0, None)
    print(json.dumps({
        "tokens_per_second": sum(tokens[measured]) / sum(seconds[measured]),
        "steps": steps,
        "losses": losses,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }, separators=(",", ":")))


if __name__ == "__main__":
    main()
