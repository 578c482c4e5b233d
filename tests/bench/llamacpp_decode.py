"""Decode speed of llama.cpp (llama-cpp-python) on a GGUF file, to compare the engine's chat with. Development only.

    CMAKE_ARGS="-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF" pip install llama-cpp-python
    python llamacpp_decode.py MODEL.gguf [--threads 2] [--tokens 128] [--repeat 3] [--prompt TEXT]

Greedy, one sequence; end-of-turn tokens do not stop it; the prefill figure includes logits of every position. Prints one
JSON line: the best of the repetitions, since what else runs on the machine can only make them slower.
"""

import argparse
import json
import time

import numpy as np
from llama_cpp import Llama

PROMPT = "<|im_start|>user\nTell me about the history of Paris.<|im_end|>\n<|im_start|>assistant\n"


def measure(model, prompt, count):
    """(prefill tokens/s, decode tokens/s) of one run."""
    model.reset()
    start = time.perf_counter()
    model.eval(prompt)
    prefill = time.perf_counter() - start
    start = time.perf_counter()
    for _ in range(count):
        model.eval([int(np.argmax(model.scores[model.n_tokens - 1]))])
    return len(prompt) / prefill, count / (time.perf_counter() - start)


def main():
    """Load, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--prompt", default=PROMPT)
    options = parser.parse_args()

    model = Llama(options.model, n_ctx=1024, n_threads=options.threads, n_threads_batch=options.threads, logits_all=True,
                  verbose=False)
    prompt = model.tokenize(options.prompt.encode(), add_bos=False, special=True)
    runs = [measure(model, prompt, options.tokens) for _ in range(options.repeat)]
    print(json.dumps({
        "prompt_tokens": len(prompt),
        "tokens": options.tokens,
        "prefill_tokens_per_second": max(run[0] for run in runs),
        "tokens_per_second": max(run[1] for run in runs),
        "threads": options.threads,
    }, separators=(",", ":")))


if __name__ == "__main__":
    main()
